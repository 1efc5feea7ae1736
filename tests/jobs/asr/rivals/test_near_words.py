"""Common words that sound nearly as another, and how probable words are in English."""

from __future__ import annotations

import pytest

from jobs.asr.pocketsphinx_asr import Recogniser
from jobs.asr.rivals.near_words import encode_phones, homophones, log_language, near_words


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


def sounds(recogniser: Recogniser, word: str) -> str:
    return encode_phones(recogniser.phones([word]))


@pytest.mark.parametrize(
    ("word", "rivals"),
    [("black", {"back", "blank", "block"}), ("took", {"take", "look"}),
     ("printed", {"printing", "print"}), ("arts", {"art"}), ("of", {"a", "to", "and"})],
)  # fmt: skip
def test_near_sounding_words_and_those_of_one_stem_are_rivals(
    recogniser: Recogniser, word: str, rivals: set[str]
) -> None:
    assert rivals <= set(near_words(word, sounds(recogniser, word)))


@pytest.mark.parametrize(("word", "other"), [("for", "four"), ("their", "there"), ("craftsmen", "craftsman")])
def test_words_that_sound_the_same_are_no_rivals(recogniser: Recogniser, word: str, other: str) -> None:
    assert other not in near_words(word, sounds(recogniser, word))
    assert word not in near_words(word, sounds(recogniser, word))


def test_homophones_are_found_by_their_sounds(recogniser: Recogniser) -> None:
    assert {"for", "four"} <= set(homophones(sounds(recogniser, "for")))


def test_a_word_is_the_more_probable_the_better_it_fits_between_its_neighbours() -> None:
    before, after = ["in", "the", "middle"], ["the", "garden"]

    assert log_language(before, ["of"], after) > log_language(before, ["off"], after) + 3
    assert log_language(before, ["qat"], after) > -60
