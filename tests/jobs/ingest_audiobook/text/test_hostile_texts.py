"""Books, subtitles and segments that strangers made: read or refused, in linear time and bounded memory."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.books import epub
from jobs.books.document_text import plain_text
from jobs.errors import UserError
from jobs.ingest_audiobook.cut.clip_candidates import ClipLimits
from jobs.ingest_audiobook.text.segment_clips import place_segments, segment_candidates
from jobs.ingest_audiobook.text.subtitles import read_segments, read_subtitles
from jobs.ingest_audiobook.text.text_readers import read_book_text
from tests.support.hostile import books, segments
from tests.support.hostile.limits import assert_linear, within_limits

few = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
REFUSED_BOOKS = {
    "12 KB of nested blocks": "text_unreadable",
    "60 MB of paragraphs": "text_unreadable",
    "lzma": "text_unreadable",
    "12,000 files": "text_unreadable",
    "no rootfile": "text_unreadable",
    "no container": "text_unreadable",
    "a package in an unknown encoding": "text_unreadable",
    "a package in UTF-7": "text_unreadable",
    "pipe": "file_not_regular",
}
REFUSED_SEGMENTS = {
    "deep lists": "segments_unreadable",
    "a time of 400 digits": "segments_unreadable",
    "a time of 5,000 digits": "segments_unreadable",
    "an endless time": "segments_unreadable",
    "a long line": "line_too_long",
    "a sparse line": "file_too_large",
    "pipe": "file_not_regular",
}


def outcome(read: Callable[[Path], object], path: Path) -> str:
    """Return "read", or the code of the refusal."""
    try:
        read(path)
    except UserError as error:
        return error.code
    return "read"


@pytest.mark.parametrize("name", books.BUILDERS)
def test_a_hostile_book_is_read_or_refused_within_limits(tmp_path: Path, name: str) -> None:
    path = books.BUILDERS[name](tmp_path)

    with within_limits():
        found = outcome(read_book_text, path)

    assert found == REFUSED_BOOKS.get(name, found)


@pytest.mark.parametrize("name", segments.BUILDERS)
def test_hostile_segments_are_read_or_refused_within_limits(tmp_path: Path, name: str) -> None:
    path = segments.BUILDERS[name](tmp_path)
    read = read_segments if path.suffix == ".jsonl" else read_subtitles

    with within_limits():
        found = outcome(read, path)

    assert found == REFUSED_SEGMENTS.get(name, found)


def test_a_large_honest_book_is_read_whole(tmp_path: Path) -> None:
    path = books.BUILDERS["20,000 paragraphs"](tmp_path)

    with within_limits():
        found = read_book_text(path)

    assert found.text.split("\n") == ["A thirsty crow."] * 20_000


def test_text_in_an_odd_encoding_keeps_its_letters(tmp_path: Path) -> None:
    text = "<html><body><p>Ein Rätsel</p></body></html>"
    latin = f'<?xml version="1.0" encoding="iso-8859-1"?>{text}'.encode("iso-8859-1")

    for document in (text.encode("utf-8"), text.encode("utf-16"), latin, text.encode("windows-1252")):
        path = books.write_epub(tmp_path / "book.epub", {"O/one.xhtml": document})
        assert read_book_text(path).text == "Ein Rätsel"


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("<html><head><title>no</title></head><body>a<br/>b</body></html>", "a\nb"),
        ('<p title="a > b">c</p>', "c"),
        ("<p>1 < 2 &amp; 3 &gt; 2 &#8212; &#x2014;</p>", "1 < 2 & 3 > 2 — —"),
        ("<body>a<!-- <p>no</p> -->b<![CDATA[<c>]]></body>", "ab<c>"),
        ("<body><script>if (a<b) { no() }</script><style>no</style>a<script src='x'/>b</body>", "ab"),
        ("<body><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>字<svg><svg/><text>no</text></svg></body>", "漢字"),
        ("<!DOCTYPE html [<!ENTITY a 'b'>]><html><body>a</body></html>", "a"),
        ("<body><P CLASS=x>a</P\n><hr>b</body>after", "a\nb"),
    ],
)
def test_a_document_has_the_text_of_its_body(document: str, text: str) -> None:
    assert plain_text(document.encode()) == text


@pytest.mark.parametrize(
    "unit", ["<p>a</p>", "<!--", "<a ", "<a b='", '<a b="', "<![CDATA[", "<?", "</", "&a", "<svg>"]
)
def test_documents_take_linear_time(unit: str) -> None:
    assert_linear(lambda n: plain_text(unit.encode() * n), 60_000)


def test_segments_at_one_time_take_linear_time_and_too_many_are_refused(tmp_path: Path) -> None:
    limits = ClipLimits(min_s=1.5, target_s=2.0, max_s=10.0, max_gap_s=0.5)
    row = '{"start": %g, "end": %g, "text": "a"}'
    given_ = segments.of_lines(*(row % (k / 90, k / 90 - (k % 2) * 9) for k in range(16_000)))(tmp_path)
    dense = segments.of_lines(*(row % (k / 200, k / 200 + 1) for k in range(3_000)))

    found = read_segments(given_)
    assert_linear(
        lambda n: segment_candidates(place_segments(found[:n], 0.0, 180.0, np.zeros(5_700, np.float32)), 180.0, limits),
        len(found) // 4,
    )
    assert outcome(read_segments, dense(tmp_path)) == "segments_unreadable"


def test_half_a_character_in_a_segment_can_be_written(tmp_path: Path) -> None:
    found = read_segments(segments.BUILDERS["a lone surrogate"](tmp_path))

    assert found[0].text.encode("utf-8") == b"?"


@few
@given(document=st.text("<>/!-[]CDAT?&#;\"'= \nabpr\ue000", max_size=200).map(str.encode) | st.binary(max_size=200))
def test_any_document_is_text(document: bytes) -> None:
    assert isinstance(plain_text(document), str)


@few
@given(
    container=st.just(books.CONTAINER.encode()) | st.binary(max_size=60),
    package=st.sampled_from([books.OPF.encode(), books.OPF.replace("item", "x").encode()]) | st.binary(max_size=60),
    document=st.binary(max_size=60),
)
def test_any_epub_is_read_or_refused(tmp_path: Path, container: bytes, package: bytes, document: bytes) -> None:
    files = {"META-INF/container.xml": container, "O/book.opf": package, "O/one.xhtml": document}
    path = books.write_epub(tmp_path / "book.epub", files)

    assert outcome(read_book_text, path) in ("read", "text_unreadable", "text_empty")


@few
@given(data=st.data())
def test_a_damaged_epub_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = books.write_epub(tmp_path / "book.epub", {})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])

    with contextlib.suppress(UserError):
        epub.read_epub(path)


@few
@given(content=st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-16", "surrogatepass")))
def test_any_text_file_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "book.txt"
    path.write_bytes(content)

    assert outcome(read_book_text, path) in ("read", "text_unreadable", "text_empty", "text_right_to_left")


@few
@given(
    lines=st.lists(
        st.sampled_from(
            ["00:00:01,000 --> 00:00:02,000", "99:99:99.999 --> 0:0:0.1", "WEBVTT", "1", "", "<i>", "{\\an8}"]
        )
        | st.text(max_size=20),
        max_size=12,
    ),
    suffix=st.sampled_from([".srt", ".vtt"]),
)
def test_any_subtitles_are_read_or_refused(tmp_path: Path, lines: list[str], suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes("\n".join(lines).encode("utf-8", "replace"))

    assert outcome(read_subtitles, path) in ("read", "segments_unreadable", "segments_empty", "text_empty")


number = st.integers() | st.floats() | st.just(10**400)
scalar = st.none() | st.booleans() | number | st.text(max_size=5)
json_value = st.recursive(scalar, lambda one: st.lists(one, max_size=2))
row = st.fixed_dictionaries({"start": number | scalar, "end": number | scalar, "text": st.text() | json_value})


@few
@given(rows=st.lists(row | json_value, max_size=4))
def test_any_segments_are_read_or_refused(tmp_path: Path, rows: list[object]) -> None:
    path = tmp_path / "segments.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))

    assert outcome(read_segments, path) in ("read", "segments_unreadable", "segments_empty")
