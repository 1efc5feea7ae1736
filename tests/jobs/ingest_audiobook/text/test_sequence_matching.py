from __future__ import annotations

import random

from jobs.ingest_audiobook.text.sequence_matching import TextIndex, accepted, match_in_order

SENTENCE = "a thirsty crow found a tall pitcher in the garden there was only a little water at the bottom"
TEXT = SENTENCE.split()


def test_words_misheard_at_the_ends_stand_for_as_many_words_of_text() -> None:
    heard = [["thirsty", "thirsty", "crow", "found", "a", "tall", "the"], ["in", "the", "garden"]]

    first, second = match_in_order(TEXT, heard)

    assert (first.first, first.last) == (0, 7)
    assert (second.first, second.last, second.share) == (7, 10, 1.0)


def test_speech_that_the_text_lacks_is_not_accepted() -> None:
    heard = [TEXT[:10], ["bottom", "water", "crow", "a", "the", "tall"], TEXT[10:]]

    assert accepted(match_in_order(TEXT, heard)) == [True, False, True]


def test_few_words_count_only_where_they_continue_a_neighbours_text() -> None:
    continuing = match_in_order(TEXT, [TEXT[:8], TEXT[8:10]])
    alone = match_in_order(TEXT, [TEXT[:5], ["in", "the"]])

    assert accepted(continuing) == [True, True]
    assert accepted(alone) == [True, False]


def test_nothing_heard_matches_nothing() -> None:
    assert accepted(match_in_order(TEXT, [[], []])) == [False, False]


def test_a_place_in_a_long_text_is_found_from_half_misheard_words() -> None:
    chooser = random.Random(1)
    words = [f"w{n}" for n in range(500)]
    book = [chooser.choice(words) for _ in range(20_000)]
    heard = [word if k % 6 else chooser.choice(words) for k, word in enumerate(book[12_345:12_445])]

    found = TextIndex(book).find(heard)

    assert found is not None
    assert abs(found - 12_345) <= 40


def test_words_from_elsewhere_are_found_nowhere() -> None:
    chooser = random.Random(2)
    words = [f"w{n}" for n in range(500)]
    book = [chooser.choice(words) for _ in range(20_000)]

    assert TextIndex(book).find([chooser.choice(words) for _ in range(200)]) is None
