"""Text discrimination: the texts that a take is compared with, and the conclusion from their scores."""

from __future__ import annotations

from jobs.asr.text_discrimination import MAX_TEXTS, another_text_fits, competing_texts, fits_best


def test_the_right_text_is_heard_when_it_scores_above_every_other() -> None:
    assert fits_best(-100.0, [-120.0, None]) is True
    assert fits_best(-100.0, [-120.0, -99.0]) is False
    assert fits_best(-100.0, [-100.0]) is False


def test_a_text_that_does_not_align_is_not_heard_even_when_no_other_does() -> None:
    assert fits_best(None, [None, None]) is False
    assert another_text_fits(None, [None, None]) is False
    assert another_text_fits(None, [None, -200.0]) is True


def test_without_another_text_nothing_is_claimed() -> None:
    assert fits_best(-100.0, []) is None
    assert another_text_fits(-100.0, []) is False


def test_a_part_of_the_text_and_the_same_words_written_otherwise_do_not_compete() -> None:
    text = "The boy was there when the sun rose."

    assert competing_texts(
        text, [text, "the boy was there, when the sun rose!", "When the sun rose", "A pink shell"]
    ) == ["A pink shell"]


def test_of_many_texts_those_nearest_in_length_are_compared() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    texts = [" ".join(f"{letter}{letter}{other}" for other in letters[: n + 1]) for n, letter in enumerate(letters)]

    chosen = competing_texts("one two three four", texts)

    assert len(chosen) == MAX_TEXTS - 1
    assert texts[3] == chosen[0]
    assert texts[25] not in chosen
