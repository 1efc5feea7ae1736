"""Words that a text may have been misread for: near-sounding ones, and small ones in each other's place.

Words and their frequency are those of pocketsphinx's own dictionary and language model of English.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketsphinx import Config, LogMath, NGramModel, get_model_path
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

LOG_UNIT = 1e-4  # natural log of pocketsphinx's base of logarithms
LEAST_LOG = -14.0  # of a word that the language model does not know
N_COMMON = 15_000
MOST_RIVALS = 10  # of a word
LONG_WORD = 5  # sounds; two of them may differ, in a shorter word one
# Small words take each other's place, are left out, and are added, without a change in what a sentence is about.
SMALL = frozenset(Path(__file__).with_name("small_words.txt").read_text(encoding="utf-8").split())
_PHONES = """
    AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"""
_ORDER = {phone: number for number, phone in enumerate(re.findall(r"\w+", _PHONES))}
_FIRST_CODE = ord("A")
WEAK_VOWELS = ("AH", "EH", "IH")
FAMILY_SOUNDS, FAMILY_REACH = 4, 3  # words of one stem: these first sounds, and at most so many others


@dataclass(frozen=True)
class CommonWords:
    """Common words with their sounds, a character each, and natural logs of their frequency."""

    words: tuple[str, ...]
    sounds: tuple[str, ...]
    log_frequency: tuple[float, ...]
    families: dict[str, list[tuple[str, str]]]  # of all words, by their first sounds
    model: NGramModel


@functools.cache
def common_words() -> CommonWords:
    """Read the commonest words, with each of their pronunciations."""
    math_ = LogMath()
    model = NGramModel(Config(), math_, get_model_path("en-us/en-us.lm.bin"))
    entries = []
    with Path(get_model_path("en-us/cmudict-en-us.dict")).open(encoding="utf-8") as stream:
        for line in stream:
            written, *phones = line.split()
            word = re.sub(r"\(\d+\)$", "", written)
            if word.isalpha():
                entries.append((word, encode_phones(phones)))
    frequency = {word: model.prob([word]) for word in {word for word, _ in entries}}
    least = sorted(frequency.values(), reverse=True)[N_COMMON]
    kept = [(word, sounds, frequency[word] * LOG_UNIT) for word, sounds in entries if frequency[word] > least]
    words, all_sounds, logs = zip(*kept, strict=True)
    families: dict[str, list[tuple[str, str]]] = {}
    for word, of_word in entries:
        families.setdefault(of_word[:FAMILY_SOUNDS], []).append((word, of_word))
    return CommonWords(words, all_sounds, logs, families, model)


def encode_phones(phones: Iterable[str]) -> str:
    """Return sounds as a character each."""
    return "".join(chr(_FIRST_CODE + _ORDER[phone]) for phone in phones)


@functools.lru_cache(maxsize=20_000)
def near_words(word: str, sounds: str) -> tuple[str, ...]:
    """Return common words that sound nearly as a word does, the nearest and commonest first; no homophones."""
    common = common_words()
    is_small = word in SMALL
    reach = 2 if is_small or len(sounds) >= LONG_WORD else 1
    found = process.extract(sounds, common.sounds, scorer=Levenshtein.distance, score_cutoff=reach, limit=None)
    family = common.families.get(sounds[:FAMILY_SOUNDS], []) if len(sounds) > FAMILY_SOUNDS else []
    alike = [(common.words[at], common.sounds[at]) for _, _, at in found] + family
    same = {other for other, of_other in alike if reduced(of_other) == reduced(sounds)} | {word}
    ranked: dict[str, float] = {}
    for _, distance, at in found:
        other = common.words[at]
        if other not in same and not (is_small and distance == 2 and other not in SMALL):
            ranked[other] = max(ranked.get(other, -math.inf), common.log_frequency[at] - 4.0 * distance)
    nearest = sorted(ranked, key=lambda each: (-ranked[each], each))[:MOST_RIVALS]
    of_stem = [
        other
        for other, of_other in family
        if other not in same
        and other.startswith(word[:FAMILY_SOUNDS])
        and Levenshtein.distance(sounds, of_other) <= FAMILY_REACH
    ]
    return tuple(dict.fromkeys([*nearest, *of_stem[:MOST_RIVALS]]))


def reduced(sounds: str) -> str:
    """Return sounds without the difference of vowels that are weak in a longer word: "men" and "man" of craftsmen."""
    if len(sounds) < LONG_WORD:
        return sounds
    weak = encode_phones(WEAK_VOWELS)
    return "".join(weak[0] if sound in weak else sound for sound in sounds)


@functools.lru_cache(maxsize=20_000)
def homophones(sounds: str) -> tuple[str, ...]:
    """Return the common words with just these sounds."""
    common = common_words()
    return tuple(word for word, of_word in zip(common.words, common.sounds, strict=True) if of_word == sounds)


def log_language(before: Sequence[str], words: Sequence[str], after: Sequence[str]) -> float:
    """Return the natural log of the probability of words, and of those after them, in English."""
    model = common_words().model
    said = [*before[-2:], *words, *after[:2]]
    logs = [
        float(model.prob(said[max(0, place - 2) : place + 1][::-1])) * LOG_UNIT
        for place in range(len(before[-2:]), len(said))
    ]
    return sum(max(LEAST_LOG, each) for each in logs)
