"""Borders of given segments: a constant offset is taken off, and a border in speech is moved to a near pause."""

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jobs.audio.recording import Samples
from jobs.audio.vad_segments import FRAME_S, PAD_S, Span, speech_spans

MIN_PAUSE_S = 0.13
MAX_MOVE_S = 0.5  # of a border; no pause so near: a word may be cut
MUCH_LONGER = 1.5
MAX_OFFSET_S, OFFSET_STEP_S = 2.0, FRAME_S
NEAR_PAUSE_S = 2 * FRAME_S  # of a border that fits a pause: subtitles may be cut at the first sound itself
MIN_OFFSET_BORDERS = 16  # fewer may lie in pauses by chance
MAX_FITTING = 0.8  # share of borders in pauses, from which on times are believed
MIN_FITTING, MIN_GAIN = 0.9, 0.3  # share after an offset, and how much more that must be than without


@dataclass(frozen=True)
class Pauses:
    """Pauses of a chunk: ``starts[k]`` to ``ends[k]`` seconds, ascending; speech is between them."""

    starts: Sequence[float]
    ends: Sequence[float]

    @staticmethod
    def of(probabilities: Samples) -> "Pauses":
        """Find the pauses of a chunk; there is silence before and after it."""
        runs = speech_spans(probabilities, max_span_s=len(probabilities) * FRAME_S + 1, min_silence_s=MIN_PAUSE_S)
        return Pauses([float("-inf"), *(run.end_s for run in runs)], [*(run.start_s for run in runs), float("inf")])

    def speech_at(self, time_s: float) -> Span | None:
        """Return the run of speech that a time lies in; None: it is in a pause."""
        k = bisect_right(self.starts, time_s) - 1
        return None if time_s <= self.ends[k] else Span(self.ends[k], self.starts[k + 1])

    def start_near(self, time_s: float) -> float | None:
        """Return where a segment begins: a time in speech is moved to ``PAD_S`` before that after a near pause."""
        run = self.speech_at(time_s)
        if run is None:
            return time_s
        is_first = self._belongs_after(time_s, run)
        speech_s = None if is_first is None else run.start_s if is_first else self._next_start(run.end_s)
        if speech_s is None or not math.isfinite(speech_s):
            return None
        return speech_s - min(PAD_S, self._pause_before(speech_s) / 2)

    def end_near(self, time_s: float) -> float | None:
        """Return where a segment ends: a time in speech is moved to ``PAD_S`` after that before a near pause."""
        run = self.speech_at(time_s)
        if run is None:
            return time_s
        is_first = self._belongs_after(time_s, run)
        speech_s = None if is_first is None else self._last_end(run.start_s) if is_first else run.end_s
        if speech_s is None or not math.isfinite(speech_s):
            return None
        return speech_s + min(PAD_S, self._pause_after(speech_s) / 2)

    def _belongs_after(self, time_s: float, run: Span) -> bool | None:
        """Return whether a run belongs to what follows a time within it; None: no pause is near, or either may be it.

        Of two near pauses the much longer one is the border: a word may stand between them.
        """
        is_near = time_s - run.start_s <= MAX_MOVE_S, run.end_s - time_s <= MAX_MOVE_S
        if is_near != (True, True):
            return is_near[0] if any(is_near) else None
        before_s, after_s = self._pause_before(run.start_s), self._pause_after(run.end_s)
        if before_s == after_s == math.inf:  # the only speech of the chunk
            return time_s - run.start_s <= run.end_s - time_s
        if before_s >= MUCH_LONGER * after_s:
            return True
        return False if after_s >= MUCH_LONGER * before_s else None

    def _next_start(self, end_s: float) -> float:
        return self.ends[bisect_left(self.starts, end_s)]

    def _last_end(self, start_s: float) -> float:
        return self.starts[bisect_left(self.ends, start_s)]

    def _pause_before(self, speech_s: float) -> float:
        k = bisect_left(self.ends, speech_s)
        return self.ends[k] - self.starts[k]

    def _pause_after(self, speech_s: float) -> float:
        k = bisect_left(self.starts, speech_s)
        return self.ends[k] - self.starts[k]


def find_offset(spans: Sequence[Span], pauses: Pauses) -> float:
    """Return by how much all segments are late, seconds; 0 where most borders lie in pauses, or nothing fits them."""
    borders = np.array([time_s for span in spans for time_s in (span.start_s, span.end_s)])
    if len(borders) < MIN_OFFSET_BORDERS:
        return 0.0
    starts, ends = np.array(pauses.starts) - NEAR_PAUSE_S, np.array(pauses.ends) + NEAR_PAUSE_S

    def share(offset_s: float) -> float:
        moved = borders - offset_s
        return float(np.mean(moved <= ends[np.searchsorted(starts, moved, side="right") - 1]))

    now = share(0.0)
    if now >= MAX_FITTING:
        return 0.0
    offsets = np.arange(-MAX_OFFSET_S, MAX_OFFSET_S + OFFSET_STEP_S, OFFSET_STEP_S)
    shares = np.array([share(float(offset_s)) for offset_s in offsets])
    if shares.max() < max(MIN_FITTING, now + MIN_GAIN):
        return 0.0
    is_best = (shares == shares.max()).tolist()
    groups = [list(group) for best, group in itertools.groupby(range(len(offsets)), is_best.__getitem__) if best]
    middles: list[float] = [float(offsets[group].mean()) for group in groups]
    nearest = min(middles, key=abs)
    return round(nearest, 3)
