"""Text, title and cover of an EPUB: its documents in reading order.

Archives are unpacked within limits, XML is parsed without entities.
"""

import os
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote
from xml.etree.ElementTree import Element

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from jobs.books.blocks import Book, Cover, gather_blocks
from jobs.books.covers import MAX_COVER_BYTES, make_cover
from jobs.books.document_text import plain_text, read_blocks
from jobs.books.text_decoding import MAX_TEXT_BYTES, BookText, check_not_empty, text_unreadable
from jobs.errors import UserError
from jobs.files.reading import open_regular

MAX_EPUB_FILES = 10_000
MAX_DIRECTORY_BYTES = 4 << 20  # of the archive's list of files: 400 bytes for each
MAX_PACKAGE_BYTES = 4 << 20  # 10,000 entries of 250 bytes and their places in the spine fill 3 MB
# Markup deflates to a twentieth, a page of repeated lines to a fiftieth. What deflates further is text of no book.
MAX_RATIO = 100
MAX_UNCHECKED_BYTES = 4 << 20  # of any ratio
MAX_TAG = 300  # characters of a title or a name
MAX_MARKS = 3_000_000  # "<" in a book; with a tag at each word, a novel of 700,000 words has 1.4 million
SAVE_AGAIN = "Save it again from a program that opens it (e.g. Calibre) as .epub, or its text as UTF-8 .txt."
MAX_NAMED = 5
# of EPUB 2 and 3, and of the Open eBook files before them
TEXT_TYPES = ("application/xhtml+xml", "text/html", "text/x-oeb1-document")
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # all that EPUB allows; others ask for memory by a number
PIECE_BYTES = 1 << 16
# zipfile raises RuntimeError for encrypted entries, NotImplementedError for newer archives.
_BROKEN_ARCHIVE = (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, EOFError, OSError, LookupError)
_BROKEN_XML = (SyntaxError, DefusedXmlException, ValueError)  # an unknown encoding is a ValueError, or a LookupError


def read_epub(path: Path) -> BookText:
    """Return the text of an EPUB, and a note of documents that it names but does not hold.

    Raises ``UserError``: ``text_unreadable``, ``text_empty``, ``text_protected``.
    """
    with _open(path) as (archive, package):
        documents, notes = _documents(archive, package, path)
        text = "\n\n".join(plain_text(archive.read(name)) for name in documents)
    return check_not_empty(BookText(text, notes), path)


def read_epub_book(path: Path) -> Book:
    """Return an EPUB as headings and paragraphs, with title, author and cover; raises as ``read_epub``."""
    with _open(path) as (archive, package):
        documents, notes = _documents(archive, package, path)
        blocks = gather_blocks((block for name in documents for block in read_blocks(archive.read(name))), path)
        root = _parse(archive.read(package, MAX_PACKAGE_BYTES))
        title, author = (_tag(root, name) for name in ("title", "creator"))
        cover = _read_cover(archive, root, package)
    check_not_empty(BookText("\n".join(block.text for block in blocks)), path)
    return Book(blocks, title, author, cover, notes)


@contextmanager
def _open(path: Path) -> Iterator[tuple["_BoundedArchive", str]]:
    """Open an archive, and give it and the name of its package."""
    try:
        with open_regular(path) as stream, zipfile.ZipFile(cast(BinaryIO, _BoundedStream(stream))) as archive:
            if len(archive.infolist()) > MAX_EPUB_FILES:
                raise text_unreadable(path, f"is an archive of {len(archive.infolist())} files", SAVE_AGAIN)
            reader = _BoundedArchive(archive, path, os.fstat(stream.fileno()).st_size)
            yield reader, _package_name(reader)
    except (*_BROKEN_ARCHIVE, *_BROKEN_XML) as error:
        raise text_unreadable(path, f"is not a readable EPUB ({str(error)[:200]})", SAVE_AGAIN) from error


class _BoundedStream:
    """File of an archive that is not read in one piece: its list of files has a number for its size."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, n_bytes: int = -1) -> bytes:
        """Read at most ``MAX_DIRECTORY_BYTES``."""
        if n_bytes > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"a list of files of {n_bytes} bytes")
        return self._stream.read(n_bytes)


class _BoundedArchive:
    """Archive of which a limited number of bytes is unpacked, by its size."""

    def __init__(self, archive: zipfile.ZipFile, path: Path, size: int) -> None:
        self._archive, self._path = archive, path
        self._most = min(MAX_TEXT_BYTES, max(MAX_UNCHECKED_BYTES, MAX_RATIO * size))
        self._left, self._marks_left = self._most, MAX_MARKS
        self.names = set(archive.namelist())

    def read_picture(self, name: str) -> bytes | None:
        """Unpack a picture; None when it is missing, too large or compressed more than pictures are."""
        found = self._archive.NameToInfo.get(name)
        if found is None or found.compress_type not in METHODS or found.file_size > MAX_COVER_BYTES:
            return None
        with self._archive.open(name) as stream:
            return stream.read(MAX_COVER_BYTES)

    def read(self, name: str, most: int = MAX_TEXT_BYTES) -> bytes:
        """Unpack one file."""
        if self._archive.getinfo(name).compress_type not in METHODS:
            raise zipfile.BadZipFile(f"{name!r} is compressed by another method than EPUB allows")
        limit = min(most, self._left)
        content = bytearray()
        with self._archive.open(name) as stream:
            while piece := stream.read(PIECE_BYTES):
                content += piece
                if len(content) > limit:
                    raise text_unreadable(self._path, f"unpacks to more than {min(most, self._most) >> 20} MB of text")
        self._left -= len(content)
        self._marks_left -= content.count(b"<")
        if self._marks_left < 0:
            raise text_unreadable(self._path, f"has more than {MAX_MARKS:,} tags")
        return bytes(content)


def _parse(content: bytes) -> Element:
    root: Element = defusedxml.ElementTree.fromstring(content)
    return root


def _named(root: Element, name: str) -> Iterator[Element]:
    return (element for element in root.iter() if str(element.tag).rpartition("}")[2] == name)


def _package_name(archive: _BoundedArchive) -> str:
    container = _parse(archive.read("META-INF/container.xml", MAX_PACKAGE_BYTES))
    name = next((element.get("full-path") for element in _named(container, "rootfile")), None)
    if not name:
        raise KeyError("META-INF/container.xml names no package")
    return name


def _documents(archive: _BoundedArchive, package: str, path: Path) -> tuple[list[str], tuple[str, ...]]:
    """Return the names of the documents that are there, in reading order, and a note of those that are not."""
    named = _spine(archive, package)
    found = [name for name in named if name in archive.names]
    missing = [name for name in named if name not in archive.names]
    if missing and not found:
        raise text_unreadable(path, f"holds none of the {len(missing)} documents that it names", SAVE_AGAIN)
    _check_not_encrypted(archive, found, path)
    if not missing:
        return found, ()
    more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
    listed = ", ".join(repr(name[:MAX_TAG]) for name in missing[:MAX_NAMED])
    return found, (f"{path.name!r} lacks {len(missing)} of the {len(named)} documents that it names: {listed}{more}.",)


def _spine(archive: _BoundedArchive, package: str) -> list[str]:
    """Return the names of the documents in reading order, each once; one that the package does not list has its id."""
    root = _parse(archive.read(package, MAX_PACKAGE_BYTES))
    items = {element.get("id"): element for element in _named(root, "item")}
    names = []
    for element in _named(root, "itemref"):
        if element.get("linear") == "no":
            continue
        item = items.get(element.attrib["idref"])
        if item is None:
            names.append(element.attrib["idref"])
            continue
        is_text = item.get("media-type", "") in TEXT_TYPES
        if is_text and "nav" not in item.get("properties", "").split():
            names.append(_resolve(package, item))
    return list(dict.fromkeys(names))


def _resolve(package: str, item: Element) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(item.attrib["href"])))


def _tag(root: Element, name: str) -> str | None:
    """Return the first entry of a name in the package's metadata."""
    found = next((" ".join((element.text or "").split()) for element in _named(root, name)), "")
    return found[:MAX_TAG] or None


def _read_cover(archive: _BoundedArchive, root: Element, package: str) -> Cover | None:
    """Return the cover that the package names, as EPUB 3 does or as EPUB 2 did."""
    named = {element.get("content") for element in _named(root, "meta") if element.get("name") == "cover"}
    for item in _named(root, "item"):
        is_cover = "cover-image" in item.get("properties", "").split() or item.get("id") in named
        if is_cover and item.get("href") and (content := archive.read_picture(_resolve(package, item))):
            return make_cover(content)
    return None


def _check_not_encrypted(archive: _BoundedArchive, documents: list[str], path: Path) -> None:
    if "META-INF/encryption.xml" not in archive.names:
        return
    root = _parse(archive.read("META-INF/encryption.xml", MAX_PACKAGE_BYTES))
    encrypted = {unquote(element.get("URI", "")) for element in _named(root, "CipherReference")}
    if encrypted.intersection(documents):  # encrypted fonts do not matter
        raise UserError(
            "text_protected",
            f"{path} is protected against copying: its text is encrypted.",
            "Give the text without copy protection.",
        )
