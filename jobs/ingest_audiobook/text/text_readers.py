"""The book's words from the file that holds them: plain text, EPUB or subtitles.

What a file says of itself is not believed: archives are unpacked within bounds, XML without entities.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import charset_normalizer
import defusedxml.ElementTree
from bs4 import BeautifulSoup
from defusedxml import DefusedXmlException

from jobs.errors import UserError
from jobs.ingest_audiobook.params import SUBTITLE_SUFFIXES

MAX_TEXT_BYTES = 64 << 20  # the longest novels have 12 MB
MIN_GUESSED_BYTES = 200  # of fewer bytes the encoding cannot be told
MAX_EPUB_FILES = 10_000
BLOCKS = [
    "p",
    "div",
    "br",
    "li",
    "ul",
    "ol",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "section",
    "article",
    "tr",
    "table",
    "dt",
    "dd",
    "hr",
    "pre",
    "figcaption",
]
_BREAK = "\ue000"  # private use: in no text


@dataclass(frozen=True)
class BookText:
    """The text, and what people should know of how it was read."""

    text: str
    notes: tuple[str, ...] = ()


def read_book_text(path: Path) -> BookText:
    """Read .txt, .epub, .srt or .vtt, by content where it tells.

    Raises:
        UserError: ``text_unreadable``, ``text_empty``, ``text_protected``, ``text_right_to_left``.
    """
    if zipfile.is_zipfile(path):
        found = BookText(_epub(path))
    elif path.suffix.lower() in SUBTITLE_SUFFIXES:
        from jobs.ingest_audiobook.text.subtitles import read_subtitles

        found = BookText("\n".join(segment.text for segment in read_subtitles(path)))
    else:
        found = decoded(path)
    refuse_unreadable_script(found.text, path)
    return found


def decoded(path: Path) -> BookText:
    """A text file of whatever encoding; a guess is told.

    Raises:
        UserError: ``text_unreadable``, ``text_empty``.
    """
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise _unreadable(path, f"has {path.stat().st_size >> 20} MB, more than any book")
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return _not_empty(BookText(content.decode("utf-16")), path)
        except UnicodeDecodeError as error:
            raise _unreadable(path, f"begins like UTF-16 and is not (byte {error.start})") from error
    try:
        return _not_empty(BookText(content.decode("utf-8-sig")), path)
    except UnicodeDecodeError as error:
        guess = charset_normalizer.from_bytes(content).best() if len(content) >= MIN_GUESSED_BYTES else None
        if guess is None or "\0" in str(guess):
            raise _unreadable(path, f"is not UTF-8 text (byte {error.start})") from error
    note = f"{path.name!r} is not UTF-8; it was read as {guess.encoding}, a guess: look at accents and quotes."
    return _not_empty(BookText(str(guess), (note,)), path)


def refuse_unreadable_script(text: str, path: Path) -> None:
    """Refuse text of a script that is written from right to left: no model here speaks such a language.

    Raises:
        UserError: ``text_right_to_left``.
    """
    sides = [unicodedata.bidirectional(character) for character in text[:200_000]]
    n_right = sum(side in ("R", "AL") for side in sides)
    if n_right > sum(side == "L" for side in sides):
        raise UserError(
            "text_right_to_left",
            f"{path} is written from right to left (Hebrew, Arabic or the like).",
            "Qwen3-TTS speaks none of these languages: English, Chinese, Japanese, Korean, German, French, Russian, "
            "Portuguese, Spanish and Italian.",
        )


def _not_empty(found: BookText, path: Path) -> BookText:
    if not any(character.isalnum() for character in found.text):
        raise UserError("text_empty", f"{path} holds no words.", "Give the book's text: .txt, .epub, .srt or .vtt.")
    return BookText(found.text.replace("\r\n", "\n").replace("\r", "\n"), found.notes)


def _unreadable(path: Path, why: str) -> UserError:
    return UserError(
        "text_unreadable",
        f"{path} {why}.",
        f"Give UTF-8 text, e.g. by iconv -f WINDOWS-1252 -t UTF-8 {path.name!r}, or an .epub, .srt or .vtt.",
    )


def _epub(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > MAX_EPUB_FILES:
                raise _unreadable(path, f"is an archive of {len(archive.infolist())} files")
            bounded = _Bounded(archive, path)
            package = _package_name(bounded)
            documents = _spine(bounded, package)
            _refuse_encrypted(bounded, documents, path)
            text = "\n\n".join(_plain(bounded.read(name)) for name in documents)
    except (zipfile.BadZipFile, KeyError, SyntaxError, DefusedXmlException, NotImplementedError, RuntimeError) as error:
        raise _unreadable(path, f"is no EPUB that can be read ({error})") from error
    return _not_empty(BookText(text), path).text


class _Bounded:
    """Files of an archive, none of which, nor all together, may be larger than a book."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive, self._path = archive, path
        self._left = MAX_TEXT_BYTES
        self.names = set(archive.namelist())

    def read(self, name: str) -> bytes:
        """Unpack one file."""
        with self._archive.open(name) as stream:
            content = stream.read(self._left + 1)
        if len(content) > self._left:
            raise _unreadable(self._path, f"unpacks to more than {MAX_TEXT_BYTES >> 20} MB of text")
        self._left -= len(content)
        return content


def _package_name(archive: _Bounded) -> str:
    container = defusedxml.ElementTree.fromstring(archive.read("META-INF/container.xml"))
    return str(next(element for element in container.iter() if _local(element.tag) == "rootfile").attrib["full-path"])


def _spine(archive: _Bounded, package: str) -> list[str]:
    """Names of the documents in reading order."""
    root = defusedxml.ElementTree.fromstring(archive.read(package))
    items = {element.attrib["id"]: element.attrib for element in root.iter() if _local(element.tag) == "item"}
    names = []
    for element in root.iter():
        if _local(element.tag) != "itemref" or element.attrib.get("linear") == "no":
            continue
        item = items[element.attrib["idref"]]
        is_text = item.get("media-type", "") in ("application/xhtml+xml", "text/html")
        if is_text and "nav" not in item.get("properties", "").split():
            names.append(posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(item["href"]))))
    return names


def _refuse_encrypted(archive: _Bounded, documents: list[str], path: Path) -> None:
    if "META-INF/encryption.xml" not in archive.names:
        return
    root = defusedxml.ElementTree.fromstring(archive.read("META-INF/encryption.xml"))
    hidden = {
        unquote(element.attrib.get("URI", "")) for element in root.iter() if _local(element.tag) == "CipherReference"
    }
    if hidden.intersection(documents):  # fonts may be, and do not matter
        raise UserError(
            "text_protected",
            f"{path} is protected against copying: its text is encrypted.",
            "Give the text in another form.",
        )


def _plain(document: bytes) -> str:
    soup = BeautifulSoup(document, "html.parser")
    body = soup.body or soup
    for element in body.find_all(["script", "style", "svg", "math", "rt", "rp"]):
        element.decompose()
    for element in body.find_all(BLOCKS):
        element.insert_before(_BREAK)
        element.append(_BREAK)
    words = re.sub(r"\s+", " ", body.get_text())  # line ends of the source mean nothing
    return re.sub(rf" ?{_BREAK}[ {_BREAK}]*", "\n", words).strip()


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]
