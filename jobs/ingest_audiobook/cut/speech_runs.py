"""Speech runs: speech between two pauses with a margin of audio, grouped into stretches of about two minutes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobs.asr.pocketsphinx_asr import AlignedWord
from jobs.audio.clip_io import SPEECH_RATE_HZ, Samples
from jobs.audio.vad_segments import FRAME_S, SPEECH_ON, Span

STRETCH_S = 120.0
MARGIN_S = 0.2  # recognised on both sides of a run, so that no faint end of a word is missed


@dataclass(frozen=True)
class SpeechRun:
    """A run of speech with the audio around it; times are seconds of the chunk.

    ``audio_16k`` (samples,) is the speech and its margin; ``is_speech`` (frames,) marks each 32 ms of the chunk.
    """

    span: Span
    start_s: float
    audio_16k: Samples
    is_speech: npt.NDArray[np.bool_]

    def uncovered_s(self, found: Sequence[AlignedWord]) -> float:
        """Return the seconds of speech before the first or after the last word, the longer of both."""
        first = int((self.start_s + found[0].start_s) / FRAME_S)
        last = int((self.start_s + found[-1].end_s) / FRAME_S) + 1
        return float(max(self.is_speech[:first].sum(), self.is_speech[last:].sum())) * FRAME_S


def speech_runs(audio_16k: Samples, probabilities: Samples, spans: Sequence[Span]) -> list[SpeechRun]:
    """Extract each run of speech with ``MARGIN_S`` of audio around it, at most to the middle of the pause."""
    total_s = len(audio_16k) / SPEECH_RATE_HZ
    runs: list[SpeechRun] = []
    for number, span in enumerate(spans):
        before = spans[number - 1].end_s if number else 0.0
        after = spans[number + 1].start_s if number + 1 < len(spans) else total_s
        start = max(span.start_s - MARGIN_S, (before + span.start_s) / 2, 0.0)
        end = min(span.end_s + MARGIN_S, (span.end_s + after) / 2)
        first, last = round(span.start_s / FRAME_S), round(span.end_s / FRAME_S)
        is_speech = np.zeros(len(probabilities), np.bool_)
        is_speech[first:last] = probabilities[first:last] >= SPEECH_ON
        audio = audio_16k[int(start * SPEECH_RATE_HZ) : int(end * SPEECH_RATE_HZ)]
        runs.append(SpeechRun(span, start, audio, is_speech))
    return runs


def group_into_stretches(runs: Sequence[SpeechRun]) -> list[list[SpeechRun]]:
    """Group runs into stretches of about ``STRETCH_S`` of speech."""
    groups: list[list[SpeechRun]] = []
    length = STRETCH_S
    for run in runs:
        if length >= STRETCH_S:
            groups.append([])
            length = 0.0
        groups[-1].append(run)
        length += run.span.duration_s
    return groups
