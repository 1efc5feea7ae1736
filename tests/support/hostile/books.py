"""Hostile books: EPUB archives that cost more than they hold, broken ones, and texts in odd encodings."""

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

Builder = Callable[[Path], Path]

CONTAINER = '<container><rootfiles><rootfile full-path="O/book.opf"/></rootfiles></container>'
OPF = """<package xmlns="http://www.idpf.org/2007/opf"><manifest>
<item id="a" href="one.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="a"/></spine></package>"""
DOCUMENT = "<html><body><p>A thirsty crow.</p></body></html>"


def write_epub(path: Path, files: Mapping[str, str | bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write an EPUB of one document; ``files`` replaces or adds some of its files."""
    given = {"META-INF/container.xml": CONTAINER, "O/book.opf": OPF, "O/one.xhtml": DOCUMENT} | dict(files)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in given.items():
            archive.writestr(name, content)
    return path


def of_document(document: str | bytes, *, method: int = zipfile.ZIP_DEFLATED) -> Builder:
    """Return the builder of an EPUB with this document."""
    return lambda folder: write_epub(folder / "book.epub", {"O/one.xhtml": document}, method=method)


def of_files(files: Mapping[str, str | bytes]) -> Builder:
    """Return the builder of an EPUB with these files."""
    return lambda folder: write_epub(folder / "book.epub", files)


def in_body(content: str) -> str:
    """Return an XHTML document."""
    return f"<html><body>{content}</body></html>"


def declared(encoding: str, document: str = DOCUMENT) -> bytes:
    """Return a document that states an encoding."""
    return f'<?xml version="1.0" encoding="{encoding}"?>{document}'.encode()


def without_container(folder: Path) -> Path:
    """Write an archive that is no EPUB."""
    path = folder / "book.epub"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one.txt", "A thirsty crow.")
    return path


def many_entries(folder: Path) -> Path:
    """Write an archive of 12,000 empty files, 1 MB."""
    path = folder / "book.epub"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(12_000):
            archive.writestr(f"{number}", "")
    return path


def of_text(content: bytes) -> Builder:
    """Return the builder of a text file."""

    def build(folder: Path) -> Path:
        path = folder / "book.txt"
        path.write_bytes(content)
        return path

    return build


def _repeated_document(folder: Path) -> Path:
    items = '<itemref idref="a"/>' * 150_000
    package = OPF.replace('<itemref idref="a"/>', items)
    return write_epub(folder / "book.epub", {"O/book.opf": package})


def pipe(folder: Path) -> Path:
    """Make a pipe without a writer."""
    path = folder / "book.txt"
    os.mkfifo(path)
    return path


BUILDERS: dict[str, Builder] = {
    # more work than the bytes suggest
    "20,000 paragraphs": of_document(in_body("<p>A thirsty crow.</p>" * 20_000)),
    "2 KB of line breaks": of_document(in_body("<br/>" * 400_000)),
    "12 KB of nested blocks": of_document("<html><body>" + "<div>" * 2_400_000),
    "60 MB of paragraphs": of_document("<html><body>" + "<p>" * 20_000_000),
    "bzip2": of_document("<html><body>" + "<p>" * 1_000_000, method=zipfile.ZIP_BZIP2),
    "lzma": of_document(DOCUMENT, method=zipfile.ZIP_LZMA),
    "unclosed comments": of_document("a<!--" * 100_000),
    "unclosed tags": of_document("a<a " * 100_000),
    "unclosed quotes": of_document('a<a b="' * 100_000),
    "unclosed quotes, single": of_document("a<a b='" * 100_000),
    "unclosed sections": of_document("a<![CDATA[" * 100_000),
    "unclosed instructions": of_document("a<?" * 100_000),
    "attributes": of_document("a<a" + " a" * 400_000),
    "spaces in a tag": of_document("a<a" + " " * 800_000),
    "quotes in a tag": of_document("a<a " + '"' * 800_001 + ">"),
    "unclosed scripts": of_document(in_body("<script>" + "</script" * 100_000)),
    "ampersands": of_document(in_body("&" * 400_000 + "&a" * 200_000 + "&#" * 200_000)),
    "a reference of 100,000 digits": of_document(in_body("a&#" + "9" * 100_000 + ";")),
    "one document 150,000 times": _repeated_document,
    "a package of 5 million elements": of_files({"O/book.opf": "<package>" + "<a/>" * 5_000_000 + "</package>"}),
    "a deeply nested package": of_files({"O/book.opf": "<a>" * 500_000 + "</a>" * 500_000}),
    "12,000 files": many_entries,
    # broken
    "no container": without_container,
    "no rootfile": of_files({"META-INF/container.xml": "<container><rootfiles/></container>"}),
    "a rootfile without a path": of_files({"META-INF/container.xml": "<container><rootfile/></container>"}),
    "a package without ids": of_files({"O/book.opf": '<p><item href="one.xhtml"/><itemref idref="a"/></p>'}),
    "an itemref without idref": of_files({"O/book.opf": OPF.replace(' idref="a"', "")}),
    "an item without href": of_files({"O/book.opf": OPF.replace(' href="one.xhtml"', "")}),
    "a NUL in a name": of_files({"O/book.opf": OPF.replace("one.xhtml", "one%00.xhtml")}),
    "a package in an unknown encoding": of_files({"O/book.opf": declared("nonsense", OPF)}),
    "a package in UTF-7": of_files({"O/book.opf": declared("utf-7", OPF)}),
    "a document in base64": of_document(declared("base64")),
    "a document in zlib": of_document(declared("zlib")),
    "a document in idna": of_document(declared("idna") + b"\xff" * 50_000),
    "a document in an unknown encoding": of_document(declared("a\0b")),
    "a document in punycode": of_document(declared("punycode") + b"abcdefgh" * 20_000),
    "half of UTF-16": of_document(b"\xff\xfe<\x00a"),
    # texts
    "noise": of_text(bytes(range(128, 256)) * 4_000),
    "noise of 4 MB": of_text(b"A thirsty crow \xe9\x80 " * 200_000),
    "one word of 2 MB": of_text(b"a" * 2_000_000),
    "one number of 2 MB": of_text(b"1" * 2_000_000),
    "zeros of 2 MB": of_text(b"\0" * 2_000_000),
    "half a UTF-16": of_text(b"\xff\xfea\0b"),
    "surrogates in UTF-16": of_text(b"\xff\xfe\x00\xd8a\0" * 1_000),
    "words of one letter": of_text(b"a " * 1_000_000),
    "pipe": pipe,
    "archive marks": of_text(b"PK\x05\x06" * 100_000),
}
