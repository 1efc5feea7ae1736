"""Words of a book that a voice may not know how to say: a list to be completed as a pronunciation file."""

import re
from collections import Counter
from collections.abc import Callable, Iterable

from jobs.narrate.script.pronunciation import MAX_PHRASE
from jobs.text.sentences import find_breaks

MOST_LISTED = 2_000
_HEAD = (
    "# Rare words of the book, with how often they occur. Complete a line as WORD = SAY AS.\n"
    "# Lines left open change nothing.\n"
)
_WORD = re.compile(r"\d+(?:[.,:]\d+){1,8}[^\W_]*|[^\W_]+(?:['’.-][^\W_]+){0,8}")
_OPENING = "\"'“„«‘([¿¡"
_USUAL_ENDS = ("'s", "’s", "s", "ed", "ing", "ly")


def find_rare_words(
    texts: Iterable[str], is_known: Callable[[str], bool] | None, language_code: str = "en"
) -> list[tuple[str, int]]:
    """Return rare words and how often each occurs, commonest first.

    Args:
        texts: of the passages.
        is_known: whether a dictionary has a word in lower case. None: there is none; rare is then what is never
            written in lower case, such as names, but within a sentence with a capital, and what holds digits.
        language_code: two letters, by whose rules sentences end.
    """
    counts: Counter[str] = Counter()
    within = set()
    for text in texts:
        ends = set(find_breaks(text, language_code).sentences) if is_known is None else set()
        for match in _WORD.finditer(text):
            if len(match[0]) <= MAX_PHRASE:
                counts[match[0]] += 1
                if not _begins_sentence(text[: match.start()], ends):
                    within.add(match[0])
    lower = {word for word in counts if word.islower()}

    def is_rare(word: str) -> bool:
        if any(character.isdigit() for character in word):
            return True
        if is_known is None:
            return len(word) > 1 and word in within and word.lower() not in lower
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


def _begins_sentence(before: str, ends: set[int]) -> bool:
    """Return whether a word begins a sentence or what is quoted, by the text before it and the ends of sentences."""
    said = before.rstrip(_OPENING)
    return said != before or not said.strip() or len(said.rstrip()) in ends


def write_list(words: Iterable[tuple[str, int]]) -> str:
    """Return the list as a pronunciation file without pronunciations."""
    lines = [f"{word} =  # {count}\n" for word, count in words]
    return "".join([_HEAD, *lines])
