"""How loud a recording is where nobody speaks: what a clip's signal is held against."""

from __future__ import annotations

import itertools

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.audio.vad_segments import FRAME_S, SPEECH_OFF
from jobs.ingest_audiobook.input.speech_chunks import Stretch

NEAR_S = 10.0  # before and after a clip: music that sets in later is not its background
LONGEST_PAUSE_S = 3.0  # longer is an intro, an effect, a gap between tracks
FEWEST_FRAMES = 10  # a third of a second; fewer may be the ends of words alone
LEAST_POWER = 1e-8  # -80 dBFS, for digital silence


class Pauses:
    """The pauses of a stretch.

    Args:
        stretch: its audio and where there is speech in it.
    """

    def __init__(self, stretch: Stretch) -> None:
        self._step = round(FRAME_S * CLIP_RATE_HZ)
        n_frames = min(len(stretch.probabilities), len(stretch.audio_24k) // self._step)
        frames = stretch.audio_24k[: n_frames * self._step].reshape(n_frames, self._step)
        self._power = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / self._step
        self._is_pause = stretch.probabilities[:n_frames] < SPEECH_OFF
        edges = [0, *(np.flatnonzero(np.diff(self._is_pause)) + 1).tolist(), n_frames]
        for first, last in itertools.pairwise(edges):
            if (last - first) * FRAME_S > LONGEST_PAUSE_S:
                self._is_pause[first:last] = False

    def quality(self, first: int, last: int) -> dict[str, float]:
        """``pause_dbfs``: median level of the pauses in and near a clip, else of the stretch; nothing without any.

        Args:
            first: sample of the stretch at which the clip begins.
            last: the one after its end.
        """
        near = round(NEAR_S * CLIP_RATE_HZ)
        start, end = max(0, first - near) // self._step, (last + near) // self._step
        for part in (slice(start, end), slice(None)):
            found = self._power[part][self._is_pause[part]]
            if len(found) >= FEWEST_FRAMES:
                return {"pause_dbfs": round(10 * float(np.log10(max(float(np.median(found)), LEAST_POWER))), 1)}
        return {}
