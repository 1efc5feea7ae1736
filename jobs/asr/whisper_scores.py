"""Scores of given texts by Whisper: how probable each is for some audio, and when its words are spoken.

A decoder reads each text once, with the audio's encoding, instead of writing one of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from jobs.asr.transcript import WITHOUT_SPACES

MAX_TOKENS = 440  # of Whisper's 448; more text is in no half minute
BATCH = 6  # texts read at once
_SPACE = "Ġ"  # a space in the vocabulary of byte-level BPE
_LOWEST = 1e-9


@dataclass(frozen=True)
class ScoredPart:
    """A part of a text: seconds from the audio's start; natural log of its probability after what is before it."""

    start_s: float
    end_s: float
    log_probability: float


@dataclass(frozen=True)
class ScoredText:
    """A text in its parts; ``log_probability`` is that of all of it, and of its end."""

    parts: tuple[ScoredPart, ...]
    log_probability: float


def score_texts(
    whisper: Any, samples_16k: npt.NDArray[np.float32], texts: Sequence[Sequence[str]], language: str
) -> list[ScoredText | None]:
    """Score texts for at most 30 s of audio.

    Args:
        whisper: ``jobs.asr.whisper_encoding.KeepingWhisper``.
        samples_16k: (n,) mono in -1..1.
        texts: each divided into parts that are scored and timed; empty parts are allowed.
        language: two-letter code.

    Returns:
        For each text its scores; None for one that is too long, or has no words.
    """
    import ctranslate2
    from faster_whisper.tokenizer import Tokenizer

    tokenizer = Tokenizer(
        whisper.hf_tokenizer, whisper.model.is_multilingual, task="transcribe", language=language or "en"
    )
    vocabulary = whisper.hf_tokenizer.get_vocab()
    encoded, n_frames = whisper.encoding_of(samples_16k)
    spelt = [_spell(parts, tokenizer, vocabulary, language) for parts in texts]
    scored: list[ScoredText | None] = [None] * len(texts)
    left = [number for number, (ids, _) in enumerate(spelt) if 0 < len(ids) <= MAX_TOKENS]
    for first in range(0, len(left), BATCH):
        numbers = left[first : first + BATCH]
        repeated = ctranslate2.StorageView.from_array(np.ascontiguousarray(np.repeat(encoded, len(numbers), 0)))
        found = whisper.model.align(
            repeated,
            tokenizer.sot_sequence,
            [[*spelt[number][0], tokenizer.eot] for number in numbers],
            [n_frames] * len(numbers),
        )
        for number, result in zip(numbers, found, strict=True):
            scored[number] = _scored(result, spelt[number][1], len(texts[number]), whisper.time_precision)
    return scored


def _spell(
    parts: Sequence[str], tokenizer: Any, vocabulary: dict[str, int], language: str
) -> tuple[list[int], list[int]]:
    """Return the tokens of a text, and for each the part that it belongs to."""
    ids: list[int] = []
    owners: list[int] = []
    space = "" if language in WITHOUT_SPACES else " "
    for number, part in enumerate(parts):
        if part:
            of_part = _with_spaces_joined(tokenizer.encode(space + part), tokenizer, vocabulary)
            ids += of_part
            owners += [number] * len(of_part)
    return ids, owners


def _with_spaces_joined(ids: Sequence[int], tokenizer: Any, vocabulary: dict[str, int]) -> list[int]:
    """Join a lone space with the token after it, as Whisper was trained: some tokenizer files lack that one merge."""
    joined: list[int] = []
    lone = vocabulary.get(_SPACE)
    for each in ids:
        if joined and joined[-1] == lone:
            with_space = vocabulary.get(_SPACE + (tokenizer.tokenizer.id_to_token(each) or ""))
            if with_space is not None:
                joined[-1] = with_space
                continue
        joined.append(each)
    return joined


def _scored(result: Any, owners: Sequence[int], n_parts: int, seconds_per_step: float) -> ScoredText:
    logs = np.log(np.maximum(np.array(result.text_token_probs, np.float64), _LOWEST))
    tokens, steps = (np.array(side) for side in zip(*result.alignments, strict=True))
    begins = np.concatenate([[True], np.diff(tokens) > 0])
    starts = steps[begins] * seconds_per_step  # of each token, and of the end
    parts: list[ScoredPart] = []
    place = 0
    for number in range(n_parts):
        end = place
        while end < len(owners) and owners[end] == number:
            end += 1
        at, to = (float(starts[min(each, len(starts) - 1)]) for each in (place, end))
        parts.append(ScoredPart(at, to, float(logs[place:end].sum())))
        place = end
    return ScoredText(tuple(parts), float(logs.sum()))
