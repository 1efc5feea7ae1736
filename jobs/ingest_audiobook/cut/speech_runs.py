"""Runs of speech between two pauses, each with the sound around it, grouped into passages of some minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobs.asr.pocketsphinx_asr import AlignedWord
from jobs.audio.clip_io import SPEECH_RATE_HZ, Samples
from jobs.audio.vad_segments import FRAME_S, SPEECH_ON, Span

PASSAGE_S = 120.0
MARGIN_S = 0.2  # heard on both sides of a run, so that no faint end of a word is missed


@dataclass(frozen=True)
class Run:
    """A run of speech with the sound around it; ``start_s`` is where that sound starts in the stretch."""

    span: Span
    start_s: float
    audio_16k: Samples
    is_speech: npt.NDArray[np.bool_]  # (frames of 32 ms of the stretch,) speech within the run

    def untold_s(self, found: Sequence[AlignedWord]) -> float:
        """Seconds of speech outside the words' hull, the larger of both ends."""
        first = int((self.start_s + found[0].start_s) / FRAME_S)
        last = int((self.start_s + found[-1].end_s) / FRAME_S) + 1
        return float(max(self.is_speech[:first].sum(), self.is_speech[last:].sum())) * FRAME_S


def surrounded(audio_16k: Samples, probabilities: Samples, spans: Sequence[Span]) -> list[Run]:
    """Each run of speech with ``MARGIN_S`` of sound around it, at most to the middle of the pause.

    Args:
        audio_16k: the stretch.
        probabilities: its speech probabilities.
        spans: its runs of speech, seconds, in order.
    """
    total_s = len(audio_16k) / SPEECH_RATE_HZ
    runs: list[Run] = []
    for number, span in enumerate(spans):
        before = spans[number - 1].end_s if number else 0.0
        after = spans[number + 1].start_s if number + 1 < len(spans) else total_s
        start = max(span.start_s - MARGIN_S, (before + span.start_s) / 2, 0.0)
        end = min(span.end_s + MARGIN_S, (span.end_s + after) / 2)
        first, last = round(span.start_s / FRAME_S), round(span.end_s / FRAME_S)
        is_speech = np.zeros(len(probabilities), np.bool_)
        is_speech[first:last] = probabilities[first:last] >= SPEECH_ON
        sound = audio_16k[int(start * SPEECH_RATE_HZ) : int(end * SPEECH_RATE_HZ)]
        runs.append(Run(span, start, sound, is_speech))
    return runs


def passages(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs in groups of about ``PASSAGE_S`` of speech."""
    groups: list[list[Run]] = []
    length = PASSAGE_S
    for run in runs:
        if length >= PASSAGE_S:
            groups.append([])
            length = 0.0
        groups[-1].append(run)
        length += run.span.duration_s
    return groups
