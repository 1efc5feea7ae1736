"""Heard words are matched to a book anywhere in it, in reading order, whatever either side has more."""

from __future__ import annotations

import random

import pytest

from jobs.ingest_audiobook.heard_book.matching import BookIndex, BookMatch, letters, written_words

TEXT = (
    "a thirsty crow found a tall pitcher in the garden there was only a little water at the bottom and she could not "
    "reach it she looked around and saw many small round stones one by one she dropped every pebble into the jar"
)
OTHER_WORDS = "stone river window morning paper candle silver market winter letter shoulder yellow engine"
NOTE, FOREIGN = "note one see the second volume", "this was never printed in any book at all by anybody"
STORY, FILLER = TEXT.split(), OTHER_WORDS.split()


def filler(n_words: int, seed: int = 1) -> list[str]:
    return random.Random(seed).choices(FILLER, k=n_words)


def match(book: list[str], heard: list[str], language: str = "en") -> BookMatch:
    return BookIndex(book, language).match(heard)


def pairs(found: BookMatch, book: list[str], heard: list[str]) -> list[tuple[str, str]]:
    return [
        (" ".join(heard[k] for k in each.heard), " ".join(book[k] for k in each.book)) for each in found.differences
    ]


def test_words_are_found_behind_front_matter_and_before_a_chapter_that_is_not_read() -> None:
    book = filler(3000) + STORY + filler(2000, 2)

    found = match(book, STORY)

    assert found.equal == {k: 3000 + k for k in range(len(STORY))}
    assert found.differences == ()


@pytest.mark.parametrize(
    ("written", "heard", "differences"),
    [
        ("tall pitcher", "old pitcher", [("old", "tall")]),
        ("tall pitcher", "pitcher", [("", "tall")]),
        ("a tall pitcher", "a very tall pitcher", [("very", "")]),
        ("tall pitcher", "to all pitch her", [("to all pitch her", "tall pitcher")]),
    ],
)
def test_small_differences_keep_their_place(written: str, heard: str, differences: list[tuple[str, str]]) -> None:
    said = TEXT.replace(written, heard).split()

    found = match(STORY, said)

    assert pairs(found, STORY, said) == differences
    assert not any(each.is_other_text for each in found.differences)


def test_a_page_number_and_a_footnote_within_a_sentence_are_words_that_were_not_heard() -> None:
    book = [*STORY[:20], "42", *STORY[20:30], *NOTE.split(), *STORY[30:]]

    found = match(book, STORY)

    assert [len(each.book) for each in found.differences] == [1, 6]
    assert [len(each.heard) for each in found.differences] == [0, 0]
    assert len(found.equal) == len(STORY)


def test_a_chapter_that_is_left_out_and_one_that_the_book_lacks() -> None:
    other = filler(300, 3)
    book = STORY + other + STORY[::-1]
    heard = STORY + FOREIGN.split() + STORY[::-1]

    found = match(book, heard)

    assert [found.equal.get(k) for k in range(len(STORY))] == list(range(len(STORY)))
    assert sum(at >= len(STORY) + 300 for at in found.equal.values()) == len(STORY)
    foreign = [each for each in found.differences if each.heard]
    assert sum(len(each.heard) for each in foreign) == 11
    assert not any(len(STORY) <= at < len(STORY) + 300 for at in found.equal.values())


def test_chapters_in_another_order_are_found() -> None:
    book = STORY[::-1] + filler(500, 4) + STORY

    found = match(book, STORY + STORY[::-1])

    assert list(found.equal.values()) == [*range(len(STORY) + 500, 2 * len(STORY) + 500), *range(len(STORY))]


def test_a_sentence_that_is_said_twice_is_the_books_once() -> None:
    heard = STORY[:20] + STORY[10:]

    found = match(STORY, heard)

    assert sorted(found.equal.values()) == sorted(set(found.equal.values()))
    assert sum(len(each.heard) for each in found.differences) == 10


def test_another_book_matches_nothing() -> None:
    found = match(filler(5000), STORY)

    assert found.equal == {}
    assert [each.heard for each in found.differences] == [range(len(STORY))]
    assert found.differences[0].is_other_text


def test_languages_without_spaces_are_matched_by_character() -> None:
    book = written_words("从前有一只乌鸦，口渴了，到处找水喝。乌鸦看见一个瓶子，瓶子里有水。", "zh")
    heard = written_words("口渴了,到处找水喝。乌鸦看见一个平子,瓶子里有水", "zh")

    found = match([word.word for word in book], [word.word for word in heard], "zh")

    assert len(found.equal) == len(heard) - 1
    assert [(book[each.book.start].word, heard[each.heard.start].word) for each in found.differences] == [("瓶", "平")]


def test_words_are_compared_by_their_letters_and_keep_their_place_in_the_text() -> None:
    text = "„Guten Tag“, sagte—er: ec­cle­si­as­ti­cal oﬃce (1,455)"

    words = written_words(text, "de")

    assert [word.word for word in words] == ["guten", "tag", "sagte", "er", "ecclesiastical", "office", "1455"]
    assert [text[word.start : word.end] for word in words][:4] == ["Guten", "Tag", "sagte", "er"]
    assert letters("Fluß") == letters("FLUSS")


def test_a_long_chunk_is_matched_to_a_long_book_in_a_second() -> None:
    book = filler(100_000) + [f"w{k}" for k in range(2_000)] + filler(50_000, 2)

    found = match(book, [f"w{k}" for k in range(2_000)])

    assert len(found.equal) == 2_000
