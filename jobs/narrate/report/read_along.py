"""``book.epub``: an EPUB 3 with the audio of a narration, in which a reader lights each passage as it is spoken.

Source: EPUB 3.3 and its media overlays, https://www.w3.org/TR/epub-33/.
"""

import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from jinja2 import Environment

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.books.blocks import Cover
from jobs.files.atomic_io import open_binary
from jobs.narrate.script.passages import PARAGRAPH_S
from jobs.narrate.sound.timeline import Placed, Timeline

LATEST_S = 253_402_300_799  # the end of the year 9999; files may say that they are of later ones
_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SUFFIXES = {"mjpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png")}
_CONTAINER = """\
<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="book/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
_STYLE = """\
body { margin: 1em; line-height: 1.5; }
.spoken { background: #ffe08a; color: #000; }
"""
_PACKAGE = """\
<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="{{ language }}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:{{ identifier }}</dc:identifier>
<dc:title>{{ title }}</dc:title>
<dc:language>{{ language }}</dc:language>
{% if author %}<dc:creator>{{ author }}</dc:creator>
{% endif %}<meta property="dcterms:modified">{{ modified }}</meta>
<meta property="media:active-class">spoken</meta>
<meta property="media:narrator">Synthetic speech</meta>
<meta property="media:duration">{{ seconds(n_samples) }}s</meta>
{% for one in chapters %}<meta property="media:duration" refines="#s{{ one.number }}">\
{{ seconds(one.n_samples) }}s</meta>
{% endfor %}</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="style" href="style.css" media-type="text/css"/>
{% if cover %}<item id="cover" href="cover.{{ cover[0] }}" media-type="{{ cover[1] }}" properties="cover-image"/>
{% endif %}{% for one in chapters %}<item id="c{{ one.number }}" href="{{ one.name }}.xhtml" \
media-type="application/xhtml+xml" media-overlay="s{{ one.number }}"/>
<item id="s{{ one.number }}" href="{{ one.name }}.smil" media-type="application/smil+xml"/>
<item id="a{{ one.number }}" href="{{ one.name }}.mp3" media-type="audio/mpeg"/>
{% endfor %}</manifest>
<spine>
{% for one in chapters %}<itemref idref="c{{ one.number }}"/>
{% endfor %}</spine>
</package>
"""
_PAGE = """\
<?xml version="1.0" encoding="UTF-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" xml:lang="{{ language }}" \
lang="{{ language }}">
<head><title>{{ one.title }}</title><link rel="stylesheet" href="style.css"/></head>
<body>
{% for tag, placed in one.paragraphs %}<{{ tag }}>{% for number, text in placed %}<span id="p{{ number }}">{{ text }}\
</span>{{ "" if loop.last else " " }}{% endfor %}</{{ tag }}>
{% endfor %}</body>
</html>
"""
_OVERLAY = """\
<?xml version="1.0" encoding="UTF-8"?>
<smil xmlns="http://www.w3.org/ns/SMIL" xmlns:epub="http://www.idpf.org/2007/ops" version="3.0">
<body><seq id="seq" epub:textref="{{ one.name }}.xhtml">
{% for number, first, last in one.clips %}<par id="r{{ number }}"><text src="{{ one.name }}.xhtml#p{{ number }}"/>\
<audio src="{{ one.name }}.mp3" clipBegin="{{ seconds(first) }}s" clipEnd="{{ seconds(last) }}s"/></par>
{% endfor %}</seq></body>
</smil>
"""
_NAVIGATION = """\
<?xml version="1.0" encoding="UTF-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" xml:lang="{{ language }}" \
lang="{{ language }}">
<head><title>{{ title }}</title></head>
<body><nav epub:type="toc"><ol>
{% for one in chapters %}<li><a href="{{ one.name }}.xhtml">{{ one.title }}</a></li>
{% endfor %}</ol></nav></body>
</html>
"""
_TEMPLATES = Environment(autoescape=True)


@dataclass(frozen=True)
class _Chapter:
    """A chapter as the templates see it."""

    timeline: Timeline

    @property
    def number(self) -> int:
        return self.timeline.chapter.number

    @property
    def name(self) -> str:
        return f"{self.number:03d}"

    @property
    def title(self) -> str:
        return _clean(self.timeline.chapter.title)

    @property
    def n_samples(self) -> int:
        return self.timeline.n_samples

    @property
    def clips(self) -> Iterator[tuple[int, int, int]]:
        """Number, first and last sample of each passage."""
        for number, placed in enumerate(self.timeline.placed, 1):
            yield number, placed.start, placed.end

    @property
    def paragraphs(self) -> Iterator[tuple[str, list[tuple[int, str]]]]:
        """Tag of each paragraph or heading, with number and text of its passages."""
        open_passages: list[tuple[int, str]] = []
        for number, placed in enumerate(self.timeline.placed, 1):
            open_passages.append((number, _clean(placed.passage.text)))
            if _ends_paragraph(placed):
                yield ("h1" if number == 1 else "h2") if placed.passage.is_heading else "p", open_passages
                open_passages = []
        if open_passages:
            yield "p", open_passages


def write_read_along(
    path: Path,
    timelines: Sequence[Timeline],
    *,
    title: str,
    author: str | None,
    language: str | None,
    cover: Cover | None,
    modified_s: float,
) -> None:
    """Write the book beside the MP3 of its chapters.

    Args:
        path: of the file; ``001.mp3`` and so on stand in its folder.
        timelines: of the chapters, in order.
        title: of the book.
        author: of the book.
        language: code of the text; None: unknown.
        cover: picture.
        modified_s: time of the text's last change, seconds since 1970: the same text gives the same bytes.
    """
    chapters = [_Chapter(timeline) for timeline in timelines]
    texts = "\n".join(placed.passage.text for timeline in timelines for placed in timeline.placed)
    name = _clean(f"{title}\n{texts}")
    common = {
        "chapters": chapters,
        "title": _clean(title),
        "author": _clean(author or ""),
        "language": language or "und",
        "identifier": uuid.uuid5(uuid.NAMESPACE_OID, name),
        "modified": datetime.fromtimestamp(min(max(0, int(modified_s)), LATEST_S), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "n_samples": sum(one.n_samples for one in chapters),
        "cover": _SUFFIXES[cover.codec] if cover else None,
        "seconds": _seconds,
    }

    def fill(template: str, **more: object) -> bytes:
        return _TEMPLATES.from_string(template).render(common, **more).encode()

    with open_binary(path) as stream, ZipFile(stream, "w") as book:
        _add(book, "mimetype", b"application/epub+zip", is_stored=True)
        _add(book, "META-INF/container.xml", _CONTAINER.encode())
        _add(book, "book/package.opf", fill(_PACKAGE))
        _add(book, "book/nav.xhtml", fill(_NAVIGATION))
        _add(book, "book/style.css", _STYLE.encode())
        if cover is not None:
            _add(book, f"book/cover.{_SUFFIXES[cover.codec][0]}", cover.content, is_stored=True)
        for one in chapters:
            _add(book, f"book/{one.name}.xhtml", fill(_PAGE, one=one))
            _add(book, f"book/{one.name}.smil", fill(_OVERLAY, one=one))
            _add(book, f"book/{one.name}.mp3", (path.parent / f"{one.name}.mp3").read_bytes(), is_stored=True)


def _add(book: ZipFile, name: str, content: bytes, *, is_stored: bool = False) -> None:
    entry = ZipInfo(name)  # of 1980, whenever it is written
    entry.compress_type = ZIP_STORED if is_stored else ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    book.writestr(entry, content)


def _ends_paragraph(placed: Placed) -> bool:
    return placed.passage.is_heading or placed.passage.pause_s >= PARAGRAPH_S


def _seconds(n_samples: int) -> str:
    return f"{n_samples / CLIP_RATE_HZ:.3f}"


def _clean(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return _NOT_XML.sub("", text)
