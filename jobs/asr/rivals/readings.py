"""Does speech say another near-sounding word than its text has, a small word more, or one less?

A recogniser that knows only a text's words cannot hear another. Here it hears one run of speech in whose text every
word has rivals. Where one wins, both readings are aligned, and what their scores say is weighed with how probable each
reading is in English.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from jobs.asr.pocketsphinx_asr import Fit, Recogniser
from jobs.asr.rivals.near_words import SMALL, encode_phones, homophones, log_language, near_words, reduced
from jobs.audio.clip_io import Samples

ADDED = ("a", "the", "and", "of", "to", "in", "is", "it", "that", "as")
P_TEXT, P_SKIP, P_ADD = 0.5, 0.1, 0.1  # after a word of the text; the rest is divided among the rivals
LANGUAGE_WEIGHT = 6.5  # of a natural log of the language model against one of the sound: pocketsphinx's own
# Natural log by which a reading must win. Own measurement on 142 s of real narration (2026): right words reach 14, a
# third of small wrong readings has more than this.
MIN_EVIDENCE = 18.0
MIN_LANGUAGE = -40.0  # evidence against a reading that its sound does not make up for
MOST_SPELLINGS = 64


@dataclass(frozen=True)
class RivalReading:
    """Words that were heard in the place of ``words[first:last]``; ``evidence``: natural log by which they win."""

    first: int
    last: int
    heard: tuple[str, ...]
    evidence: float


def find_rival_readings(
    recogniser: Recogniser, audio_16k: Samples, words: Sequence[str], own: Fit
) -> Iterator[RivalReading]:
    """Yield where other words are heard than ``words``, and how sure that is; ``own`` is the fit of the words."""
    sounds = {word: encode_phones(recogniser.phones([word])) for word in set(words)}
    rivals = {word: () if _is_letter(word) else near_words(word, sounds[word]) for word in sounds}
    heard = recogniser.for_model(*_model(words, rivals)).recognise(audio_16k)
    for code in Levenshtein.opcodes(words, heard):
        before, ours, after = words[: code.src_start], words[code.src_start : code.src_end], words[code.src_end :]
        theirs = heard[code.dest_start : code.dest_end]
        if code.tag == "equal" or any(map(_is_letter, ours)):
            continue
        of_theirs = [encode_phones(recogniser.phones([word])) for word in theirs]
        if _is_cut_edge([sounds[word] for word in ours], of_theirs, is_first=not before, is_last=not after):
            continue
        spellings = itertools.product(
            *(homophones(each) or (word,) for each, word in zip(of_theirs, theirs, strict=True))
        )
        language = LANGUAGE_WEIGHT * (
            max(log_language(before, each, after) for each in itertools.islice(spellings, MOST_SPELLINGS))
            - log_language(before, ours, after)
        )
        if language < MIN_LANGUAGE:
            continue
        fit = recogniser.fit(audio_16k, [*before, *theirs, *after])
        if fit is not None:
            evidence = fit.log_score - own.log_score + language
            yield RivalReading(code.src_start, code.src_end, tuple(theirs), evidence)


def _is_letter(word: str) -> bool:
    return len(word) == 1 and word not in ("a", "i")


def _is_cut_edge(ours: Sequence[str], theirs: Sequence[str], *, is_first: bool, is_last: bool) -> bool:
    """Return True for a word at an edge of the speech that lacks no more than its outermost, faint sound."""
    if len(ours) != 1 or len(theirs) != 1:
        return False
    word, other = reduced(ours[0]), reduced(theirs[0])
    return (is_first and word[1:] == other) or (is_last and word[:-1] == other)


def _model(words: Sequence[str], rivals: dict[str, tuple[str, ...]]) -> tuple[list[str], dict[str, dict[str, float]]]:
    """Return the vocabulary, and for each word what may follow with its probability."""
    follows: dict[str, dict[str, float]] = {}

    def add(first: str, second: str, probability: float) -> None:
        of_first = follows.setdefault(first, {})
        of_first[second] = max(of_first.get(second, 0.0), probability)

    ended = [*words, "</s>"]
    for place, target in enumerate(ended):
        before = [words[place - 1], *rivals[words[place - 1]]] if place else ["<s>"]
        others = rivals.get(target, ())
        options = {target: P_TEXT} | {other: (1 - P_TEXT - P_SKIP - P_ADD) / len(others) for other in others}
        if target in SMALL:
            options[ended[place + 1]] = P_SKIP
        for first, (second, probability) in itertools.product(before, options.items()):
            add(first, second, probability)
        for added in ADDED:
            add(before[0], added, P_ADD / len(ADDED))
            add(added, target, P_TEXT)
    return sorted(follows.keys() - {"<s>"}), follows
