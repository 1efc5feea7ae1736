"""Loops and hurry are heard in the text alone."""

import pytest

from jobs.asr.transcript import is_loop, is_too_fast


@pytest.mark.parametrize(
    ("text", "language", "loops"),
    [
        ("No, no, no, no, said the king.", "en", False),
        ("Thank you. Thank you. Thank you. Thank you.", "en", True),
        ("you you you you you you", "en", True),
        ("and then he went home and then he went home and then he went home", "en", True),
        ("Row, row, row your boat gently down the stream.", "en", False),
        ("the cat sat and the dog sat and the cow sat and the hen sat", "en", False),
        ("谢谢谢谢谢谢谢谢", "zh", True),
        ("人人都说好，天天向上。", "zh", False),
        ("", "en", False),
    ],
)
def test_a_phrase_that_comes_again_and_again_is_a_loop(text, language, loops):
    assert is_loop(text, language) == loops


def test_more_words_than_there_is_time_for_are_noticed():
    assert is_too_fast("one two three four five six seven eight", 1.0, "en")
    assert not is_too_fast("one two three four", 1.0, "en")
    assert not is_too_fast("yes yes", 0.1, "en")
    assert is_too_fast("一二三四五六七八九十一二三四五", 1.0, "zh")
    assert not is_too_fast("一二三四五六七八", 1.0, "zh")
