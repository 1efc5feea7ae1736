"""Signs of hallucinated text: words repeated in a loop, more words than there is time for."""

from __future__ import annotations

import re

WITHOUT_SPACES = ("zh", "ja")
# Repeats in a row, by the length of what is repeated: "no, no, no, no" is speech, six times is not.
_REPEATS = {1: 6, 2: 4, 3: 4} | dict.fromkeys(range(4, 16), 3)
# Own choice: real narrators were measured at 3.5 words a second and less, fast podcasts stay under 5.
MAX_WORDS_PER_S = 7.0
MAX_CHARACTERS_PER_S = 14.0
_SHORT_S = 0.5  # shorter segments are too roughly timed for a rate


def units(text: str, language: str) -> list[str]:
    """Words in lower case; characters in languages without spaces."""
    return re.findall(r"\w" if language in WITHOUT_SPACES else r"[\w']+", text.lower())


def is_loop(text: str, language: str) -> bool:
    """True when a word or phrase comes again and again without a break."""
    said = units(text, language)
    for length, repeats in _REPEATS.items():
        n_same = 0
        for at in range(length, len(said)):
            n_same = n_same + 1 if said[at] == said[at - length] else 0
            if n_same >= length * (repeats - 1):
                return True
    return False


def is_too_fast(text: str, duration_s: float, language: str) -> bool:
    """True when the text is too long to be spoken in that time."""
    limit = MAX_CHARACTERS_PER_S if language in WITHOUT_SPACES else MAX_WORDS_PER_S
    return len(units(text, language)) > limit * max(duration_s, _SHORT_S)
