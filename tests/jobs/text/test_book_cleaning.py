"""What print and text formats add to a book's words is removed, and said; the words stay."""

from __future__ import annotations

import time

import pytest

from jobs.text.book_cleaning import clean_book


@pytest.mark.parametrize(
    ("printed", "words", "change"),
    [
        ("ec\u00adcle\u00adsi\u00adas\u00adti\u00adcal of\u200bfice", "ecclesiastical office", "invisible characters"),
        ("\ufb01fteenth o\ufb03ce", "fifteenth office", "ligatures"),
        ("a mona-\nstery and more", "a monastery and more", "words divided at line ends"),
        ("lower-case and lower-\ncase", "lower-case and lower-case", "words divided at line ends"),
        ("the Franco-\nPrussian war", "the Franco-Prussian war", "words divided at line ends"),
        ("T\nhe earliest of the books", "The earliest of the books", "initials set apart"),
        ("B ut the first, but more", "But the first, but more", "initials set apart"),
        ("printed.[12] Then² more", "printed. Then more", "marks of footnotes"),
        ("with _movable_ types, **Gutenberg\nBible**", "with movable types, Gutenberg\nBible", "marks of emphasis"),
    ],
)
def test_marks_of_print_are_removed(printed: str, words: str, change: str) -> None:
    found = clean_book(printed)

    assert found.text == words
    assert found.changes[change] > 0
    assert change in (found.note or "")


@pytest.mark.parametrize(
    "text",
    [
        "I was there.\n\nA part of it, apart from me.\n\nO dear! It was 1465.",
        "In\n1465\nSweynheim came.",
        "1\n\nFirst chapter.\n\n2\n\nSecond chapter.",
        "snake_case_word and 2 * 3 * 4, a well-\u2014known thing",
        "„Guten Tag“, sagte er.\nUnd ging.",
    ],
)
def test_words_numbers_and_headings_stay(text: str) -> None:
    assert clean_book(text).text == text
    assert clean_book(text).note is None


def test_page_numbers_within_sentences_are_removed_and_the_sentence_goes_on() -> None:
    text = "It was a fine\n\n11\n\nday. He came.\n\n- 12 -\n\nThen it\n13\nrained, mona-\n14\nstery."

    found = clean_book(text)

    assert found.text == "It was a fine\nday. He came.\n\nThen it\nrained, monastery."
    assert found.changes["page numbers"] == 4


def test_long_texts_of_marks_are_cleaned_in_linear_time() -> None:
    began = time.process_time()
    pages = "\n".join(f"text\n{k}" for k in range(9_000))
    for text in ("*a" * 20_000, "a-\n" * 20_000, "_" * 30_000, "1\n" * 20_000, "A\n\n" * 10_000, pages):
        clean_book(text)
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize(
    ("written", "clean"),
    [
        ("<p>especially</p> an <i>exact</i> imitation</b>", "especially\n an exact imitation"),
        ("bread &amp; wine, Caf&#233; &unknown; AT&T", "bread & wine, Café &unknown; AT&T"),
        ("# One\n\n## The [second](http://a.b/c) part ![a map](m.png)", "One\n\nThe second part"),
        ("a < b and c > d; 2 <3; #5 is # one", "a < b and c > d; 2 <3; #5 is # one"),
    ],
)
def test_marks_of_html_and_markdown_are_removed(written: str, clean: str) -> None:
    assert clean_book(written).text.strip() == clean


def test_characters_of_a_parsed_text_are_no_tags() -> None:
    text = "The <Crow> & I said <i>: 5 &lt; 6"

    assert clean_book(text, is_parsed=True).text == text
