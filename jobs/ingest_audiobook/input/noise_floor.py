"""Level of a recording in its pauses, the noise floor that a clip's speech is compared with."""

from __future__ import annotations

import itertools

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.audio.vad_segments import FRAME_S, SPEECH_OFF
from jobs.ingest_audiobook.input.speech_chunks import SpeechChunk

NEAR_S = 10.0  # before and after a clip: music that starts later is not its background
LONGEST_PAUSE_S = 3.0  # a longer one is an intro, an effect or a gap between tracks
FEWEST_FRAMES = 10  # a third of a second; fewer may be only the ends of words
LEAST_POWER = 1e-8  # -80 dBFS, for digital silence


class NoiseFloor:
    """Level of each frame of a chunk, and which frames are pauses.

    Args:
        chunk: audio with speech probabilities.
    """

    def __init__(self, chunk: SpeechChunk) -> None:
        self._step = round(FRAME_S * CLIP_RATE_HZ)
        n_frames = min(len(chunk.probabilities), len(chunk.audio_24k) // self._step)
        frames = chunk.audio_24k[: n_frames * self._step].reshape(n_frames, self._step)
        self._power = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / self._step
        self._is_pause = chunk.probabilities[:n_frames] < SPEECH_OFF
        edges = [0, *(np.flatnonzero(np.diff(self._is_pause)) + 1).tolist(), n_frames]
        for first, last in itertools.pairwise(edges):
            if (last - first) * FRAME_S > LONGEST_PAUSE_S:
                self._is_pause[first:last] = False

    def measure(self, first: int, last: int) -> dict[str, float]:
        """Return ``pause_dbfs``, the median level of pauses in and near a clip, else of the chunk, else nothing.

        Args:
            first: first sample of the clip in the chunk.
            last: the sample after its end.
        """
        near = round(NEAR_S * CLIP_RATE_HZ)
        start, end = max(0, first - near) // self._step, (last + near) // self._step
        for part in (slice(start, end), slice(None)):
            found = self._power[part][self._is_pause[part]]
            if len(found) >= FEWEST_FRAMES:
                return {"pause_dbfs": round(10 * float(np.log10(max(float(np.median(found)), LEAST_POWER))), 1)}
        return {}
