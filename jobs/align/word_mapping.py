"""Mapping of a clip's written words to the spoken words that an aligner looks for."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from jobs.text import multilingual_normalization
from jobs.text.english_normalization import other_readings, spoken_map
from jobs.text.multilingual_normalization import WITHOUT_SPACES, CannotSpell


@dataclass(frozen=True)
class WrittenWord:
    """A word or number as written, and its spoken words: ``1455`` is ``fourteen fifty five``."""

    text: str
    spoken: tuple[str, ...]


def written_words(text: str, code: str) -> list[WrittenWord]:
    """Split a clip's text into written words, without punctuation, with their spoken form.

    Raises ``CannotSpell``: a letter or digit without a known spoken form.
    """
    return list(_english(text) if code == "en" else _other(text, code))


def match_spoken(words: Sequence[WrittenWord], spoken: Sequence[str], code: str) -> list[WrittenWord] | None:
    """Return the words with the readings that make up ``spoken``, or None when no readings do.

    ``i.e.`` is "that is" unless ``spoken`` has "i e".
    """
    given = tuple(spoken)
    reached: dict[int, None] = {0: None}  # numbers of spoken words that the words so far may take
    steps: list[dict[int, tuple[str, ...]]] = []  # of each word: the reading that first led to a number
    for word in words:
        step: dict[int, tuple[str, ...]] = {}
        for reading in (word.spoken, *other_word_readings(word, code)):
            for at in reached:
                if given[at : at + len(reading)] == reading:
                    step.setdefault(at + len(reading), reading)
        reached = dict.fromkeys(step)
        steps.append(step)
    at = len(given)
    if at not in reached:
        return None
    matched = []
    for word, step in zip(reversed(words), reversed(steps), strict=True):
        matched.append(replace(word, spoken=step[at]))
        at -= len(step[at])
    return matched[::-1]


def likeliest_readings(words: Sequence[WrittenWord], code: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield other readings, each with the number of its word: the likeliest of every word, then the next ones."""
    for place in itertools.count():
        has_more = False
        for number, word in enumerate(words):
            readings = _readings(word, code)
            has_more |= len(readings) > place + 1
            if len(readings) > place:
                yield number, readings[place]
        if not has_more:
            return


@lru_cache(maxsize=1024)
def _readings(word: WrittenWord, code: str) -> tuple[tuple[str, ...], ...]:
    return tuple(other_word_readings(word, code))


def other_word_readings(word: WrittenWord, code: str) -> list[tuple[str, ...]]:
    """Return other readings of a written word, e.g. of English numbers and abbreviations."""
    return [tuple(reading) for reading in other_readings(word.text)] if code == "en" else []


def _english(text: str) -> Iterator[WrittenWord]:
    spoken = spoken_map(text)
    covered = {at for word in spoken for at in range(word.start, word.end)}
    for at, character in enumerate(text):
        if character.isalnum() and at not in covered:
            raise CannotSpell(f"{character!r} is not English and has no known spoken form")
    for (start, end), group in itertools.groupby(spoken, key=lambda word: (word.start, word.end)):
        yield WrittenWord(text[start:end], tuple(word.word for word in group))


def _other(text: str, code: str) -> Iterator[WrittenWord]:
    """Yield the words of another language; ``jobs.text.multilingual_normalization`` reads what is not letters."""
    for token in multilingual_normalization.tokens(text, code):
        said = multilingual_normalization.said(token, code)
        if said is not None:
            yield WrittenWord(token, said)
        elif code in WITHOUT_SPACES:
            yield from (WrittenWord(character, (character,)) for character in token if character.isalnum())
        else:
            yield WrittenWord(token, tuple(part for part in re.split(r"-", token.lower()) if part))
