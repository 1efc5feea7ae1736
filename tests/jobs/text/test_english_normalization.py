from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import UserError
from jobs.text.english_normalization import other_readings, spoken_map, spoken_words, written
from tests.support.hostile.limits import assert_linear


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("about 1455, has never", "about fourteen fifty five has never"),
        ("1,455 men", "one thousand four hundred and fifty five men"),
        ("black letter, i.e. the letter", "black letter that is the letter"),
        ("Mr. Smith's “café”—closed!", "mister smith's cafe closed"),
        ("the 21st of the 1920s", "the twenty first of the nineteen twenties"),
        ("Henry VIII in Chapter IV", "henry the eighth in chapter four"),
        ("$5.50 & £3 at 5:30", "five dollars and fifty cents and three pounds at five thirty"),
        ("don’t 'tis mak'st", "don't tis mak'st"),
        ("forty-two line", "forty two line"),
        ("—  …", ""),
        ("Mrſ. Woodhouſe, vız. Mrİ", "missus woodhouse namely mri"),
        ("$" + "1" * 20, "one " * 20 + "dollars"),
        ("1" * 20 + "th of 0.0000000000000001", "one " * 20 + "of zero point" + " zero" * 15 + " one"),
    ],
)
def test_text_is_spelled_out_as_it_is_spoken(text: str, spoken: str) -> None:
    assert " ".join(spoken_words(text)) == spoken


@pytest.mark.parametrize(
    "text", ["1" * 400, "$" + "9" * 400, "1" * 5_000 + "th", "1," * 300, "111," * 200, "1" * 400 + ".5"]
)
def test_sums_of_hundreds_of_digits_are_spoken(text: str) -> None:
    words = spoken_map(text)

    assert len(words) >= 200
    assert all(isinstance(other_readings(text[word.start : word.end]), list) for word in words[:5])


@pytest.mark.parametrize(
    ("unit", "n"),
    [("a ", 20_000), ("1", 20_000), ("a'", 20_000), ("XI", 20_000), ("ſ", 20_000), ("111,", 5_000), ("£1", 1_500)],
)
def test_text_takes_linear_time(unit: str, n: int) -> None:
    assert_linear(lambda n: spoken_map(unit * n), n)


def test_more_words_than_any_recording_speaks_are_refused() -> None:
    with pytest.raises(UserError) as caught:
        spoken_map("a " * 1_001, max_words=1_000)

    assert caught.value.code == "text_unreadable"


@settings(max_examples=50, deadline=None)
@given(text=st.text("0123456789,.:$£%&@½'’-IVXLmrsthdſıİ\u0661\u00b2 ", max_size=60) | st.text(max_size=60))
def test_any_text_can_be_spoken(text: str) -> None:
    words = spoken_map(text)

    assert all(word.word.strip("abcdefghijklmnopqrstuvwxyz'") == "" for word in words)
    for word in words:
        other_readings(text[word.start : word.end])
    if words:
        written(text, words, 0, len(words))


def test_every_spoken_word_points_at_its_writing() -> None:
    text = "In 1455, i.e. then"

    spans = [(word.word, text[word.start : word.end]) for word in spoken_map(text)]

    assert spans == [
        ("in", "In"), ("fourteen", "1455"), ("fifty", "1455"), ("five", "1455"),
        ("that", "i.e."), ("is", "i.e."), ("then", "then"),
    ]  # fmt: skip


def test_writing_comes_back_with_its_punctuation_on_one_line() -> None:
    text = 'He said:\n"Go\nhome, now!" And (then) left.'
    words = spoken_map(text)

    assert written(text, words, 2, 5) == '"Go home, now!"'
    assert written(text, words, 0, 2) == "He said:"
    assert written(text, words, 2, 4) == "Go home,"
    assert written(text, words, 5, 8) == "And (then) left."
