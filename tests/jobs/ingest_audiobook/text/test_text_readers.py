"""The book's words out of plain text, EPUB and subtitles, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from jobs.books.text_decoding import MAX_TEXT_BYTES, decode_text_file
from jobs.errors import UserError
from jobs.ingest_audiobook.cut.clip_filters import is_credit
from jobs.ingest_audiobook.text.subtitles import read_subtitles
from jobs.ingest_audiobook.text.text_readers import read_book_text

CONTAINER = '<container><rootfiles><rootfile full-path="O/book.opf"/></rootfiles></container>'
OPF = """<package xmlns="http://www.idpf.org/2007/opf"><manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="b" href="two%20b.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="one.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="nav"/><itemref idref="a"/><itemref idref="b"/></spine></package>"""
ONE = "<html><head><title>no</title><body><h1>One</h1><p>A <b>th</b>irsty\n crow.</p><!-- no --><p>It drank.</p></body></html>"  # noqa: E501
TWO = "<html><body><script>no()</script><div>The end&#8212;at last.</div></body></html>"


def epub(path: Path, **more: str) -> Path:
    files = {"META-INF/container.xml": CONTAINER, "O/book.opf": OPF, "O/one.xhtml": ONE, "O/two b.xhtml": TWO,
             "O/nav.xhtml": "<html><body>Contents</body></html>"} | more  # fmt: skip
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def code_of(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_book_text(path)
    return caught.value.code


def test_an_epub_is_read_in_the_order_of_its_spine(tmp_path: Path) -> None:
    found = read_book_text(epub(tmp_path / "book.epub"))

    assert found.text == "One\nA thirsty crow.\nIt drank.\n\nThe end—at last."


def test_an_epub_of_too_much_or_of_entities_or_encrypted_is_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><container>&b;</container>'
    hidden = '<e><CipherReference URI="O/one.xhtml"/></e>'
    fonts = '<e><CipherReference URI="O/font.otf"/></e>'

    assert code_of(epub(tmp_path / "entities.epub", **{"META-INF/container.xml": bomb})) == "text_unreadable"
    assert code_of(epub(tmp_path / "drm.epub", **{"META-INF/encryption.xml": hidden})) == "text_protected"
    assert read_book_text(epub(tmp_path / "fonts.epub", **{"META-INF/encryption.xml": fonts})).text
    big = epub(tmp_path / "big.epub", **{"O/one.xhtml": "a " * (MAX_TEXT_BYTES // 2 + 1)})
    assert code_of(big) == "text_unreadable"


def test_an_epub_that_lacks_a_document_is_read_without_it_and_says_so(tmp_path: Path) -> None:
    lacking = epub(tmp_path / "a.epub", **{"O/book.opf": OPF.replace("one.x", "none.x")})
    unlisted = epub(tmp_path / "b.epub", **{"O/book.opf": OPF.replace('idref="a"', 'idref="z"')})
    older = epub(tmp_path / "c.epub", **{"O/book.opf": OPF.replace("application/xhtml+xml", "text/x-oeb1-document")})
    empty = epub(tmp_path / "d.epub", **{"O/book.opf": OPF.replace("one.x", "none.x").replace("two%20b", "no")})

    found = [read_book_text(path) for path in (lacking, unlisted, older)]

    assert [one.text for one in found[:2]] == ["The end—at last."] * 2
    assert found[0].notes == ("'a.epub' lacks 1 of the 2 documents that it names: 'O/none.xhtml'.",)
    assert found[1].notes == ("'b.epub' lacks 1 of the 2 documents that it names: 'z'.",)
    assert found[2].text.startswith("One\nA thirsty crow.")
    with pytest.raises(UserError, match="holds none of the 2 documents") as caught:
        read_book_text(empty)
    assert "iconv" not in caught.value.hint


LONG = "The printer of the city wrote of the forms of type and of the men who cut them. " * 6


@pytest.mark.parametrize(
    ("content", "words", "note"),
    [
        ((LONG + "Printed in Lübeck.").encode("latin-1"), "in Lübeck.", "read as cp1252"),
        ((LONG + "“Quoted”—said Zoë, £5.").encode("cp1252"), "“Quoted”—said Zoë, £5.", "read as cp1252"),
        (
            (LONG + "Schöffer\n— caf").encode() + b"\xe9.\n",
            "Schöffer\n— café.",
            "1 bytes that are not UTF-8",
        ),
        (("Schöffer, Müller, “so”. ").encode() + "Über Köln\n".encode("latin-1"), "Über Köln", "2 bytes"),
        (("Ещё один день прошёл в старом городе. " * 20).encode("cp1251"), "один день", "a guess"),
    ],
)
def test_few_accents_and_single_bad_bytes_are_read_as_they_were_meant(
    tmp_path: Path, content: bytes, words: str, note: str
) -> None:
    (tmp_path / "book.txt").write_bytes(content)

    found = decode_text_file(tmp_path / "book.txt")

    assert words in found.text
    assert note in found.notes[0]


def test_text_of_other_encodings_is_read_and_a_guess_is_told(tmp_path: Path) -> None:
    text = "Ein Rätsel für große Füchse, sagte der Bär: „schön“ wäre es, über Äpfel zu träumen. " * 10
    (tmp_path / "utf16.txt").write_bytes(text.encode("utf-16"))
    (tmp_path / "bom.txt").write_bytes(text.encode("utf-8-sig"))
    (tmp_path / "old.txt").write_bytes(text.encode("windows-1252"))

    found = [read_book_text(tmp_path / name) for name in ("utf16.txt", "bom.txt", "old.txt")]

    assert [one.text for one in found[:2]] == [text, text]
    assert "Rätsel für große Füchse" in found[2].text
    assert [len(one.notes) for one in found] == [0, 0, 1]
    assert "guess" in found[2].notes[0]


def test_right_to_left_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("בראשית ברא אלהים את השמים ואת הארץ")

    assert code_of(tmp_path / "book.txt") == "text_right_to_left"


def test_subtitles_have_times_and_no_sounds_or_marks(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(
        "1\n00:00:01,000 --> 00:00:03,500\n<i>A thirsty</i> crow\nfound it.\n\n"
        "2\n01:00:04,000 --> 01:00:05,000\n[MUSIC]\n"
    )
    (tmp_path / "a.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:03.500\n<v Ann>A thirsty crow found it.\n")

    srt, vtt = read_subtitles(tmp_path / "a.srt"), read_subtitles(tmp_path / "a.vtt")

    assert [(cue.start_s, cue.end_s, cue.text) for cue in srt] == [
        (1.0, 3.5, "A thirsty crow found it."),
        (3604.0, 3605.0, ""),
    ]
    assert [(cue.start_s, cue.end_s, cue.text) for cue in vtt] == [(1.0, 3.5, "A thirsty crow found it.")]
    assert read_book_text(tmp_path / "a.srt").text.startswith("A thirsty crow found it.")


def test_subtitles_without_cues_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.vtt").write_text("WEBVTT\n\nnothing\n")

    with pytest.raises(UserError) as caught:
        read_subtitles(tmp_path / "a.vtt")

    assert caught.value.code in ("segments_empty", "segments_unreadable")


@pytest.mark.parametrize(
    "text",
    [
        "Chapter One. This is a LibriVox recording.",
        "All LibriVox recordings are in the public domain.",
        "For more information, or to volunteer, please visit librivox dot org.",
        "Recording by Jane Doe.",
        "This audiobook was read by John Smith.",
        "The end. Recording by Jane Doe, of Ohio",
        "Audible hopes you have enjoyed this program.",
        "Penguin Audio presents The Crow, by Aesop, read by Jane Doe.",
    ],
)
def test_who_made_the_recording_is_no_part_of_the_book(text: str) -> None:
    assert is_credit(text)


@pytest.mark.parametrize(
    "text",
    [
        "The recording was read by all of us with tears.",
        "This is the end of the story, said the crow.",
        "She read by the light of a candle.",
        "The letter, written by her brother, was read by the whole town.",
        "It is in the public domain now.",
        "I hope you have enjoyed this dinner.",
    ],
)
def test_a_story_that_speaks_of_reading_is_kept(text: str) -> None:
    assert not is_credit(text)


def test_a_document_of_html_is_read_as_its_text(tmp_path: Path) -> None:
    path = tmp_path / "book.html"
    path.write_text(
        "<html><head><title>no</title><body><h1>One</h1><script>no()</script><p>Two &amp; <i>three</i></p></body>"
    )

    assert read_book_text(path).text.split() == ["One", "Two", "&", "three"]
