"""espeak-ng's library given what no book says: words that it has no buffers for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from jobs.text.espeak import Espeak, espeak
from jobs.text.espeak_input import MOST_LETTERS, speakable
from jobs.text.g2p import pronounce
from jobs.text.sounds import VOICES, likeness

PARTS = ["ness", "s's", "s", "w", "es", "ß", "щ", "뷁", "的x", "ー", "1", "A.", "ก็ข", "́̈", "😀", "%$", "ſﬁ", "क्", "-'"]


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Der Mann, der lief!", "Der Mann, der lief!"),
        ("l’été de mes dix-sept ans", "l’été de mes dix-sept ans"),
        ("e\u0301te\u0301", "été"),
        ("日本語のテキスト", "日本語 のテキスト"),
        ("ein iPhone — für 100 €", "ein iPhone für 100"),
        ("мой iPhone", "мой iPhone"),
        ("a" * 100, f"{'a' * 40} {'a' * 40} {'a' * 20}"),
        ("wait...!!", "wait."),
    ],
)  # fmt: skip
def test_honest_text_is_spoken_as_it_is_written(text: str, spoken: str) -> None:
    assert " ".join(speakable(text).split()) == spoken


def test_no_word_is_longer_than_the_limit_with_joints_too() -> None:
    words = speakable("s'" * 300 + " " + "a-" * 300 + "A." * 300 + "ю" * 90).split()

    assert max(map(len, words)) <= MOST_LETTERS


def test_a_text_that_ends_the_library_has_no_sounds_and_the_next_one_has() -> None:
    overflow = f"A.A.- {' '.join(['的一是不了的一是不了的一是不了的一是不了'] * 2)} {'y' * 40}"
    if espeak().ipa(overflow, "es"):
        pytest.skip("this build of the library has room for it")

    assert espeak().ipa("hola", "es") == "ˈola"
    assert likeness(overflow, "hola", "es") == "other"
    with pytest.raises(ValueError, match="no pronunciation"):
        pronounce("")


def test_texts_that_no_language_has_cost_nothing_but_their_sounds() -> None:
    rng = random.Random(5)
    texts = [part * n for part in PARTS for n in (1, 40, 70, 300)]
    texts += ["".join(rng.choices(PARTS, k=rng.randrange(1, 200))) for _ in range(60)]

    for text in texts:
        for voice in VOICES.values():
            espeak().ipa(text, voice)

    assert espeak().ipa("hello", "en-us") == "həlˈoʊ"


def test_a_library_that_does_not_start_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("jobs.text.espeak._PROGRAM", tmp_path / "missing.py")

    with pytest.raises(RuntimeError, match="does not start"):
        Espeak().ipa("hello", "en-us")
