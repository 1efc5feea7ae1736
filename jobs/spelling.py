"""Nearest known name of a misspelt one, in time that no long word can make long. stdlib only."""

import difflib
from collections.abc import Iterable
from itertools import islice

LONGEST_WORD = 200  # characters; comparing takes the product of both lengths
MOST_KNOWN = 1000


def closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that is spelt most like ``word``; None when none is near or ``word`` is no name."""
    if len(word) > LONGEST_WORD:
        return None
    names = [name for name in islice(known, MOST_KNOWN) if len(name) <= LONGEST_WORD]
    return next(iter(difflib.get_close_matches(word, names, n=1, cutoff=cutoff)), None)
