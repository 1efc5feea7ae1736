from __future__ import annotations

import pytest

from jobs.text.english_normalization import spoken_map, spoken_words, written


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
    ],
)
def test_text_is_spelled_out_as_it_is_spoken(text: str, spoken: str) -> None:
    assert " ".join(spoken_words(text)) == spoken


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
