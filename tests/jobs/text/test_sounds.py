"""Writings are compared by their sound: homophones are one word, near-sounding words are not."""

from __future__ import annotations

import pytest

from jobs.text.sounds import Likeness, is_like_phrase, likeness


@pytest.mark.parametrize(
    ("language", "one", "other", "expected"),
    [
        ("en", "fifteenth", "15th", "same"), ("en", "their", "there", "same"), ("en", "may", "might", "other"),
        ("en", "than", "then", "other"), ("en", "form should", "forms should", "near"),
        ("en", "form", "forms", "other"),
        ("de", "z. B.", "zum Beispiel", "same"), ("de", "Dr.", "Doktor", "same"), ("de", "den", "dem", "other"),
        ("de", "1889", "achtzehnhundertneunundachtzig", "same"), ("de", "ihn", "in", "near"),
        ("de", "Sei nicht", "Sein nicht", "same"), ("de", "bekam", "bekamen", "other"),
        ("fr", "10 ans", "disant", "same"), ("fr", "sept enfants", "cet enfant", "same"), ("fr", "le", "la", "other"),
        ("fr", "M. Dupont", "Monsieur du pont", "same"), ("fr", "d'eux", "de", "near"),
        ("es", "llovía", "yo vía", "same"), ("es", "llovía", "yo via", "near"),
        ("es", "caminaron", "caminaban", "other"),
        ("it", "il 3 maggio", "il tre maggio", "same"), ("pt", "a casa", "à casa", "same"),
        ("ru", "5", "пять", "same"), ("ko", "왔다", "왔다", "same"), ("zh", "他来了", "她來了", "same"),
        ("zh", "妈", "马", "other"), ("ja", "かれ", "カレ", "same"), ("ja", "彼", "君", "other"),
    ],
)  # fmt: skip
def test_likeness_of_two_writings(language: str, one: str, other: str, expected: Likeness) -> None:
    assert likeness(one, other, language) == expected


def test_a_phrase_of_other_words_that_sounds_alike_is_misheard_not_misread() -> None:
    assert is_like_phrase("ne disait mot", "nos dix émaux", "fr")
    assert not is_like_phrase("marchèrent", "marchait", "fr")
    assert not is_like_phrase("ne disait mot", "ne parlait plus", "fr")
