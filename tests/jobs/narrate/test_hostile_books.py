"""Books, pronunciations and covers that strangers made, as a narration reads them: within limits, or refused."""

from __future__ import annotations

import io
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from PIL import Image

from jobs.books import blocks, markdown
from jobs.books.blocks import Block
from jobs.books.book_reader import read_book
from jobs.books.covers import make_cover
from jobs.books.epub import read_epub_book
from jobs.errors import UserError
from jobs.narrate.params import Params
from jobs.narrate.probe import probe_parameters
from jobs.narrate.script.passages import MOST_CHARACTERS, Chapter
from jobs.narrate.script.pronunciation import MAX_PHRASE, read_pronunciations
from jobs.narrate.script.rare_words import find_rare_words, write_list
from jobs.narrate.script.script import Script, choose, read_script
from jobs.narrate.speech.take_store import KeptTake, SpokenTake, TakeStore
from tests.support.hostile.limits import assert_linear, within_limits

TITLE = "A book"
CONTAINER = '<container><rootfiles><rootfile full-path="p.opf"/></rootfiles></container>'
PACKAGE = f"""<package><metadata><title>{TITLE}</title></metadata><manifest>
<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>
<item id="c" href="c.jpg" media-type="image/jpeg" properties="cover-image"/>
</manifest><spine><itemref idref="a"/></spine></package>"""


def make_epub(path: Path, body: str, cover: bytes = b"") -> Path:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, content in (("META-INF/container.xml", CONTAINER), ("p.opf", PACKAGE), ("a.xhtml", body)):
            archive.writestr(name, content)
        archive.writestr("c.jpg", cover)
    return path


def read(text: Path, pronunciation: Path | None = None, **more: object) -> Script:
    given = {"pronunciation": str(pronunciation)} if pronunciation else {}
    return read_script(Params.model_validate({"model": "toy", "text": str(text), **given, **more}), "english")


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["book.epub", "book.txt", "book.md"])
def test_more_paragraphs_than_a_book_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(blocks, "MAX_BLOCKS", 99)
    path = tmp_path / name
    for n_paragraphs in (99, 100):
        if name == "book.epub":
            make_epub(path, "<p>One." * n_paragraphs)
        else:
            written(path, "One.\n\n" * n_paragraphs)
        if n_paragraphs == 99:
            assert len(read_book(path).blocks) == 99

    with pytest.raises(UserError, match="more than 99 paragraphs") as refused:
        read_book(path)
    assert refused.value.code == "text_unreadable"


def test_as_many_paragraphs_as_are_read_stay_within_limits(tmp_path: Path) -> None:
    path = make_epub(tmp_path / "book.epub", "<p>a" * 500_000)  # 3 KB

    with within_limits(), pytest.raises(UserError, match="paragraphs"):
        read_epub_book(path)


@pytest.mark.parametrize(
    "text",
    [
        "> " * 19 + "a\n" + "b\n" * markdown.MAX_LINES,
        "- a\n" * (markdown.MAX_LINES + 1),
        "a *b_ " * (markdown.MAX_MARKS // 2 + 1),
        "a [b](c" * (markdown.MAX_MARKS // 2 + 1),
    ],
    ids=["quotations", "lists", "emphasis", "links"],
)
def test_markdown_of_nothing_but_marks_is_refused(tmp_path: Path, text: str) -> None:
    with within_limits(), pytest.raises(UserError, match="signs of Markdown") as refused:
        read_book(written(tmp_path / "book.md", text))
    assert refused.value.code == "text_unreadable"


def test_a_heading_as_long_as_a_chapter_is_a_paragraph(tmp_path: Path) -> None:
    long = "All of it stands in a heading. " * 200
    for path in (
        make_epub(tmp_path / "book.epub", f"<h1>{long}</h1><p>And more.</p>"),
        written(tmp_path / "book.md", f"{long}\n---\nAnd more.\n"),
    ):
        script = read(path)

        assert max(len(passage.said) for passage in script.passages) <= MOST_CHARACTERS
        assert read_book(path).blocks[0] == Block(long.strip())


def test_titles_of_chapters_stay_short(tmp_path: Path) -> None:
    """An MPEG-4 file holds 65,535 bytes of a title, and an answer is read by an agent."""
    body = "".join(f"<h1>Part {number} of many</h1>" for number in range(5000))
    path = make_epub(tmp_path / "book.epub", f"{body}<p>Hello there, world.</p>")

    assert len(read(path).chapters[0].title) == 300
    found = probe_parameters({"model": "toy", "text": str(path)})
    assert [len(chapter["title"]) for chapter in found["chapters"]] == [60]


def test_what_is_said_for_a_passage_is_bounded(tmp_path: Path) -> None:
    book = written(tmp_path / "book.txt", "a a a. " * 200)

    with pytest.raises(UserError, match="would be said in") as refused:
        read(book, written(tmp_path / "words", f"a = {'x' * 200}\n"))
    assert refused.value.code == "pronunciation_invalid"


def test_phrases_that_begin_with_one_word_are_looked_up_in_constant_time(tmp_path: Path) -> None:
    text = "a b. " * 2000

    def apply(n: int) -> None:
        lines = "".join(f"a {number} = x\n" for number in range(n))
        assert read_pronunciations(written(tmp_path / "words", lines)).apply(text) == text

    assert_linear(apply, 200)


def test_the_longest_of_the_phrases_that_fit_is_said(tmp_path: Path) -> None:
    said = read_pronunciations(written(tmp_path / "words", "st = saint\nst anne = santa ana\nUS = you ess\n"))

    assert said.apply("St Anne, st. Annex of us, US, st") == "santa ana, saint. Annex of us, you ess, saint"


def test_the_list_of_rare_words_can_be_given_back_as_it_is(tmp_path: Path) -> None:
    found = find_rare_words(["Xyz and " + "q" * 500 + " " + "r" * MAX_PHRASE], lambda word: word == "and")

    assert [word for word, _ in found] == ["Xyz", "r" * MAX_PHRASE]
    read_pronunciations(written(tmp_path / "words.txt", write_list(found)))


def test_thousands_of_chapters_are_chosen_at_once() -> None:
    chapters = [Chapter(number, "A chapter", ()) for number in range(1, 40_001)]

    with within_limits(1.0):
        assert len(choose(chapters, range(31_000, 40_001))) == 9_001


def test_a_picture_with_others_behind_it_is_a_cover(tmp_path: Path) -> None:
    """Cameras write JPEGs with a second picture for depth, which Pillow names otherwise."""
    stream, picture = io.BytesIO(), Image.new("RGB", (64, 48), "red")
    picture.save(stream, "MPO", save_all=True, append_images=[picture])

    found = make_cover(stream.getvalue())
    assert found is not None
    assert (found.codec, found.width, found.height) == ("mjpeg", 64, 48)
    assert read_epub_book(make_epub(tmp_path / "book.epub", "<p>Hello.", stream.getvalue())).cover == found


def test_a_dry_run_refuses_a_cover_that_the_job_would_refuse(tmp_path: Path) -> None:
    book, cover = written(tmp_path / "book.txt", "Hello there."), written(tmp_path / "cover.png", "no picture")

    with pytest.raises(UserError) as refused:
        probe_parameters({"model": "toy", "text": str(book), "cover": str(cover)})
    assert refused.value.code == "cover_unusable"


def test_a_take_that_is_a_link_is_spoken_again(tmp_path: Path) -> None:
    key, elsewhere = "0" * 24, tmp_path / "elsewhere.wav"
    with TakeStore(tmp_path / "passages") as store:
        store.write(key, 1, np.zeros(2400, np.float32))
        store.note(key, 1, SpokenTake(duration_s=0.1, hit_limit=False))
        store.decide(key, "full", KeptTake(attempt=1, rating=None))
        assert store.find(key, 1) is not None
        assert store.find_kept(key, "full") is not None

        store.path(key, 1).rename(elsewhere)
        store.path(key, 1).symlink_to(elsewhere)

        assert store.find(key, 1) is None
        assert store.find_kept(key, "full") is None
