"""Words of a book that a voice may not know how to say: a list to be completed as a pronunciation file."""

import re
from collections import Counter
from collections.abc import Callable, Iterable

from jobs.narrate.script.pronunciation import MAX_PHRASE

MOST_LISTED = 2_000
_HEAD = (
    "# Rare words of the book, with how often they occur. Complete a line as WORD = SAY AS.\n"
    "# Lines left open change nothing.\n"
)
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+){0,8}")
_USUAL_ENDS = ("'s", "’s", "s", "ed", "ing", "ly")


def find_rare_words(texts: Iterable[str], is_known: Callable[[str], bool] | None) -> list[tuple[str, int]]:
    """Return rare words and how often each occurs, commonest first.

    Args:
        texts: of the passages.
        is_known: whether a dictionary has a word in lower case. None: there is none; rare is then what is never
            written in lower case, such as names, and what holds digits.
    """
    found = (match[0] for text in texts for match in _WORD.finditer(text))
    counts = Counter(word for word in found if len(word) <= MAX_PHRASE)
    lower = {word for word in counts if word.islower()}

    def is_rare(word: str) -> bool:
        if any(character.isdigit() for character in word):
            return True
        if is_known is None:
            return len(word) > 1 and word.lower() not in lower
        plain = word.lower().replace("’", "'")
        stems = (plain.removesuffix(end) for end in _USUAL_ENDS)
        return not (is_known(plain) or any(stem != plain and is_known(stem) for stem in stems)) and not all(
            is_known(part) for part in re.split(r"[-'.]", plain) if part
        )

    rare: Counter[str] = Counter()
    for word, count in counts.items():
        if is_rare(word):
            rare[word] += count
    return sorted(rare.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_LISTED]


def write_list(words: Iterable[tuple[str, int]]) -> str:
    """Return the list as a pronunciation file without pronunciations."""
    lines = [f"{word} =  # {count}\n" for word, count in words]
    return "".join([_HEAD, *lines])
