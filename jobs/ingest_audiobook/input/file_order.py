"""Order of the recordings of a folder: natural, also where their names count in words or Roman numerals."""

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from natsort import natsort_keygen, ns
from num2words import num2words

LARGEST_SPELLED_NUMBER = 99
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "ru")
_TOKEN = re.compile(r"[\w-]+")
_ROMAN = ((90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))


def in_order(names: Sequence[str]) -> list[str]:
    """Return names of files as a listener plays them: Part Two before Part Three, IX after VIII, 10 after 9."""
    natural: Callable[[str], Any] = natsort_keygen(alg=ns.IGNORECASE)
    tokens = {name: _TOKEN.findall(str(PurePosixPath(name).with_suffix("")).casefold()) for name in names}
    differing = _first_difference(list(tokens.values()))
    found = {name: number_of(of[differing]) if differing < len(of) else None for name, of in tokens.items()}
    if len(names) > 1 and None not in found.values():
        return sorted(names, key=lambda name: (found[name], natural(name)))
    return sorted(names, key=natural)


def number_of(token: str) -> int | None:
    """Return the number that a word or a Roman numeral means, in lower case; None for other words."""
    return _numbers().get(token)


def _first_difference(tokens: Sequence[Sequence[str]]) -> int:
    return next((place for place, same in enumerate(zip(*tokens, strict=False)) if len(set(same)) > 1), 1 << 30)


@functools.cache
def _numbers() -> dict[str, int]:
    words = {
        num2words(number, lang=language, to=form): number
        for language in reversed(LANGUAGES)  # English wins where languages share a word
        for number in range(1, LARGEST_SPELLED_NUMBER + 1)
        for form in ("ordinal", "cardinal")
    }
    return words | {_roman(number): number for number in range(1, LARGEST_SPELLED_NUMBER + 1)}


def _roman(number: int) -> str:
    found = ""
    for value, numeral in _ROMAN:
        found += numeral * (number // value)
        number %= value
    return found
