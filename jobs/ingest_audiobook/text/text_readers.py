"""Reader of a book's text: plain text, EPUB or subtitles.

Files are not trusted: archives are unpacked within size limits, XML is parsed without entities.
"""

import posixpath
import re
import zipfile
from pathlib import Path
from urllib.parse import unquote

import defusedxml.ElementTree
from bs4 import BeautifulSoup
from defusedxml import DefusedXmlException

from jobs.errors import UserError
from jobs.ingest_audiobook.params import SUBTITLE_SUFFIXES
from jobs.ingest_audiobook.text.subtitles import read_subtitles
from jobs.ingest_audiobook.text.text_decoding import (
    MAX_TEXT_BYTES,
    BookText,
    check_not_empty,
    check_script,
    decode_text_file,
    text_unreadable,
)

MAX_EPUB_FILES = 10_000
BLOCK_ELEMENTS = [
    *("p", "div", "br", "li", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "section", "article"),
    *("tr", "table", "dt", "dd", "hr", "pre", "figcaption"),
]
_BREAK = "\ue000"  # private use character: occurs in no text


def read_book_text(path: Path) -> BookText:
    """Read .txt, .epub, .srt or .vtt; an archive is recognised by its content.

    Raises ``UserError``: ``text_unreadable``, ``text_empty``, ``text_protected``, ``text_right_to_left``.
    """
    if zipfile.is_zipfile(path):
        found = BookText(_read_epub(path))
    elif path.suffix.lower() in SUBTITLE_SUFFIXES:
        found = BookText("\n".join(segment.text for segment in read_subtitles(path)))
    else:
        found = decode_text_file(path)
    check_script(found.text, path)
    return found


def _read_epub(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > MAX_EPUB_FILES:
                raise text_unreadable(path, f"is an archive of {len(archive.infolist())} files")
            reader = _BoundedArchive(archive, path)
            package = _package_name(reader)
            documents = _spine(reader, package)
            _check_not_encrypted(reader, documents, path)
            text = "\n\n".join(_plain_text(reader.read(name)) for name in documents)
    except (zipfile.BadZipFile, KeyError, SyntaxError, DefusedXmlException, NotImplementedError, RuntimeError) as error:
        raise text_unreadable(path, f"is not a readable EPUB ({error})") from error
    return check_not_empty(BookText(text), path).text


class _BoundedArchive:
    """Archive of which at most ``MAX_TEXT_BYTES`` are unpacked."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive, self._path = archive, path
        self._left = MAX_TEXT_BYTES
        self.names = set(archive.namelist())

    def read(self, name: str) -> bytes:
        """Unpack one file."""
        with self._archive.open(name) as stream:
            content = stream.read(self._left + 1)
        if len(content) > self._left:
            raise text_unreadable(self._path, f"unpacks to more than {MAX_TEXT_BYTES >> 20} MB of text")
        self._left -= len(content)
        return content


def _package_name(archive: _BoundedArchive) -> str:
    container = defusedxml.ElementTree.fromstring(archive.read("META-INF/container.xml"))
    return str(
        next(element for element in container.iter() if _local_name(element.tag) == "rootfile").attrib["full-path"]
    )


def _spine(archive: _BoundedArchive, package: str) -> list[str]:
    """Return the names of the documents in reading order."""
    root = defusedxml.ElementTree.fromstring(archive.read(package))
    items = {element.attrib["id"]: element.attrib for element in root.iter() if _local_name(element.tag) == "item"}
    names = []
    for element in root.iter():
        if _local_name(element.tag) != "itemref" or element.attrib.get("linear") == "no":
            continue
        item = items[element.attrib["idref"]]
        is_text = item.get("media-type", "") in ("application/xhtml+xml", "text/html")
        if is_text and "nav" not in item.get("properties", "").split():
            names.append(posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(item["href"]))))
    return names


def _check_not_encrypted(archive: _BoundedArchive, documents: list[str], path: Path) -> None:
    if "META-INF/encryption.xml" not in archive.names:
        return
    root = defusedxml.ElementTree.fromstring(archive.read("META-INF/encryption.xml"))
    encrypted = {
        unquote(element.attrib.get("URI", ""))
        for element in root.iter()
        if _local_name(element.tag) == "CipherReference"
    }
    if encrypted.intersection(documents):  # encrypted fonts do not matter
        raise UserError(
            "text_protected",
            f"{path} is protected against copying: its text is encrypted.",
            "Give the text without copy protection.",
        )


def _plain_text(document: bytes) -> str:
    soup = BeautifulSoup(document, "html.parser")
    body = soup.body or soup
    for element in body.find_all(["script", "style", "svg", "math", "rt", "rp"]):
        element.decompose()
    for element in body.find_all(BLOCK_ELEMENTS):
        element.insert_before(_BREAK)
        element.append(_BREAK)
    words = re.sub(r"\s+", " ", body.get_text())  # line ends of HTML have no meaning
    return re.sub(rf" ?{_BREAK}[ {_BREAK}]*", "\n", words).strip()


def _local_name(tag: object) -> str:
    return str(tag).rpartition("}")[2]
