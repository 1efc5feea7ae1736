"""EPUB 3 with media overlays: what a reader needs is there, and times and texts are those of the narration."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZIP_STORED, ZipFile

import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.books.blocks import Cover
from jobs.books.book_reader import read_book
from jobs.narrate.report.read_along import write_read_along
from jobs.narrate.script.passages import HEADING_S, PARAGRAPH_S, Chapter, Passage
from jobs.narrate.sound.timeline import Placed, Timeline

OPF, XHTML, SMIL = (
    "{http://www.idpf.org/2007/opf}",
    "{http://www.w3.org/1999/xhtml}",
    "{http://www.w3.org/ns/SMIL}",
)
COVER = Cover(b"picture", "png", 1, 1)


def second(number: float) -> int:
    return round(number * CLIP_RATE_HZ)


def chapter(number: int, title: str, *texts: str) -> Timeline:
    """A heading of a second, then texts of two seconds, of which the first two are one paragraph."""
    pauses = [HEADING_S, 0.4, *(PARAGRAPH_S for _ in texts[1:])][: len(texts) + 1]
    passages = [
        Passage(text, text, 0, pause, is_heading=not place)
        for place, (text, pause) in enumerate(zip((title, *texts), pauses, strict=True))
    ]
    placed = [Placed(one, second(3 * place), 0, second(2 if place else 1)) for place, one in enumerate(passages)]
    return Timeline(Chapter(number, title, tuple(passages)), tuple(placed), second(3 * len(passages)))


@pytest.fixture
def book(tmp_path: Path) -> Path:
    for number in (1, 2):
        (tmp_path / f"{number:03d}.mp3").write_bytes(b"sound %d" % number)
    path = tmp_path / "book.epub"
    chapters = [
        chapter(1, "The <Crow> & I", 'She said: "<script>alert(1)</script>"\x0b \ud800 ]]>.', "And went.", "The end."),
        chapter(2, "II", "Two hens."),
    ]
    write_read_along(path, chapters, title="Birds & <b>", author=None, language="en", cover=COVER, modified_s=0.5)
    return path


def test_the_container_is_that_of_an_epub_3(book: Path) -> None:
    with ZipFile(book) as file:
        first = file.infolist()[0]
        package = ElementTree.fromstring(file.read("book/package.opf"))
        names = {name.removeprefix("book/") for name in file.namelist() if name.startswith("book/")}
    items = {item.get("id"): item for item in package.iter(f"{OPF}item")}
    metas = {(meta.get("property"), meta.get("refines")): meta.text for meta in package.iter(f"{OPF}meta")}

    assert (first.filename, first.compress_type) == ("mimetype", ZIP_STORED)
    assert {item.get("href") for item in items.values()} == names - {"package.opf"}
    assert [ref.get("idref") for ref in package.iter(f"{OPF}itemref")] == ["c1", "c2"]
    assert all(items[f"c{number}"].get("media-overlay") == f"s{number}" for number in (1, 2))
    assert items["cover"].get("properties") == "cover-image"
    assert metas["dcterms:modified", None] == "1970-01-01T00:00:00Z"
    assert [metas["media:duration", refines] for refines in (None, "#s1", "#s2")] == ["18.000s", "12.000s", "6.000s"]


def test_each_passage_is_lit_at_its_time_and_no_markup_of_the_text_is_obeyed(book: Path) -> None:
    with ZipFile(book) as file:
        page = ElementTree.fromstring(file.read("book/001.xhtml"))
        overlay = ElementTree.fromstring(file.read("book/001.smil"))
        sound = file.read("book/001.mp3")
    spans = {span.get("id"): "".join(span.itertext()) for span in page.iter(f"{XHTML}span")}
    clips = [(par[0].get("src"), par[1].get("clipBegin"), par[1].get("clipEnd")) for par in overlay.iter(f"{SMIL}par")]

    assert spans == {"p1": "The <Crow> & I", "p2": 'She said: "<script>alert(1)</script>"  ]]>.', "p3": "And went.",
                     "p4": "The end."}  # fmt: skip
    assert [(each.tag.removeprefix(XHTML), len(each)) for each in page[1]] == [("h1", 1), ("p", 2), ("p", 1)]
    assert clips == [
        ("001.xhtml#p1", "0.000s", "1.000s"), ("001.xhtml#p2", "3.000s", "5.000s"),
        ("001.xhtml#p3", "6.000s", "8.000s"), ("001.xhtml#p4", "9.000s", "11.000s"),
    ]  # fmt: skip
    assert sound == b"sound 1"


def test_our_reader_of_books_finds_the_same_text(book: Path) -> None:
    found = read_book(book)

    assert [block.text for block in found.blocks if block.level] == ["The <Crow> & I", "II"]
    assert found.title == "Birds & <b>"


def test_the_same_narration_gives_the_same_bytes(book: Path, tmp_path: Path) -> None:
    before = book.read_bytes()
    chapters = [chapter(2, "II", "Two hens.")]
    write_read_along(book, chapters, title="B", author="A", language=None, cover=None, modified_s=1.0)
    once = book.read_bytes()
    write_read_along(book, chapters, title="B", author="A", language=None, cover=None, modified_s=1.0)

    assert before != once == book.read_bytes()
