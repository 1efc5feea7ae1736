from __future__ import annotations

import pytest

from jobs.text.g2p import pronounce


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("shapeliness", "SH EY P L IY N AH S"),
        ("schoeffer", "S K OW F ER"),
        ("mak'st", "M AE K S T"),
        ("woodcutters", "W UH D K AH D ER Z"),
    ],
)
def test_words_of_no_dictionary_get_cmu_phones(word: str, phones: str) -> None:
    assert " ".join(pronounce(word)) == phones


def test_what_cannot_be_said_is_refused() -> None:
    with pytest.raises(ValueError, match="no pronunciation"):
        pronounce("'")
