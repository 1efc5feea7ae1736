"""Speech segments from probabilities per frame, cut in pauses where there are any.

Functions on arrays, without side effects; seconds count from the first probability.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jobs.audio.clip_io import Samples

FRAME_S = 0.032  # one speech probability, 512 samples at 16 kHz
SPEECH_ON = 0.5  # silero's own thresholds
SPEECH_OFF = 0.35
MIN_SILENCE_S = 0.3  # measured on real narration: shorter cuts words, longer merges sentences
PAD_S = 0.1


@dataclass(frozen=True)
class Span:
    """A span of time in seconds. ``cut_start`` and ``cut_end``: that end lies within speech, not in a pause."""

    start_s: float
    end_s: float
    cut_start: bool = False
    cut_end: bool = False

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return self.end_s - self.start_s


def speech_spans(probabilities: Samples, *, max_span_s: float, min_silence_s: float = MIN_SILENCE_S) -> list[Span]:
    """Speech between pauses of at least ``min_silence_s``; longer spans are split at their least-speech frame.

    ``probabilities`` are (frames,), the speech probability of each 32 ms.
    """
    spans: list[Span] = []
    for first, last in _speech_frames(probabilities, max(1, round(min_silence_s / FRAME_S))):
        spans += _split(probabilities, first, last, max(2, int(max_span_s / FRAME_S)))
    return spans


def _speech_frames(probabilities: Samples, min_silent: int) -> list[tuple[int, int]]:
    """Frame ranges of speech with hysteresis: on at 0.5, off after ``min_silent`` frames under 0.35."""
    ranges: list[tuple[int, int]] = []
    start: int | None = None
    n_silent = 0
    for frame, probability in enumerate(probabilities.tolist()):
        if start is None:
            if probability >= SPEECH_ON:
                start, n_silent = frame, 0
            continue
        n_silent = n_silent + 1 if probability < SPEECH_OFF else 0
        if n_silent >= min_silent:
            ranges.append((start, frame + 1 - n_silent))
            start = None
    if start is not None:
        ranges.append((start, len(probabilities) - n_silent))
    return ranges


def _split(probabilities: Samples, first: int, last: int, max_frames: int) -> list[Span]:
    """Cut ``first:last`` where speech is least likely, away from the ends, until nothing is too long."""
    cuts = [first]
    while last - cuts[-1] > max_frames:
        low, high = cuts[-1] + max_frames // 3, cuts[-1] + max_frames
        high = min(high, last - 1)
        cuts.append(low + int(np.argmin(probabilities[low:high])))
    cuts.append(last)
    return [
        Span(start * FRAME_S, end * FRAME_S, cut_start=start != first, cut_end=end != last)
        for start, end in itertools.pairwise(cuts)
    ]


def padded(spans: Sequence[Span], total_s: float, pad_s: float = PAD_S) -> list[Span]:
    """Widen spans by ``pad_s`` on both sides, at most to the middle of the pause; never where cut in speech."""
    wider: list[Span] = []
    for number, span in enumerate(spans):
        before = spans[number - 1].end_s if number else -span.start_s
        after = spans[number + 1].start_s if number + 1 < len(spans) else 2 * total_s - span.end_s
        start = span.start_s if span.cut_start else max(span.start_s - pad_s, (before + span.start_s) / 2)
        end = span.end_s if span.cut_end else min(span.end_s + pad_s, (span.end_s + after) / 2)
        wider.append(Span(max(0.0, start), min(total_s, end), span.cut_start, span.cut_end))
    return wider


def merged(
    spans: Sequence[Span],
    *,
    target_s: float,
    max_s: float,
    max_gap_s: float,
    may_join: Sequence[bool] | None = None,
) -> list[list[int]]:
    """Group neighbours: a group shorter than ``target_s`` takes the next span if it is near and fits.

    The rule of the original skill. Returns the indices of each group. ``may_join`` is False for a span that must not be
    joined to the one before.
    """
    groups: list[list[int]] = []
    for number, span in enumerate(spans):
        if groups and (may_join is None or may_join[number]):
            first, last = spans[groups[-1][0]], spans[groups[-1][-1]]
            is_short = last.end_s - first.start_s < target_s
            if is_short and span.start_s - last.end_s <= max_gap_s and span.end_s - first.start_s <= max_s:
                groups[-1].append(number)
                continue
        groups.append([number])
    return groups
