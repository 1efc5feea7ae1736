"""Sound that waits to become a stretch, in memory that is asked for once."""

from __future__ import annotations

import numpy as np

from jobs.asr.silero_vad import FRAME_SAMPLES
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ, Samples

FRAME_24K = FRAME_SAMPLES * CLIP_RATE_HZ // SPEECH_RATE_HZ  # 768: a frame begins at a sample at both rates


class Queue:
    """Samples that come in at the end and are taken from the beginning.

    Memory is asked for once a stretch and filled as they come: joining arrays would copy all of it for every block,
    and have it in memory twice.

    Args:
        n_expected: most samples that it will hold, if all goes well.
    """

    def __init__(self, n_expected: int) -> None:
        self._n_expected = n_expected
        self._buffer, self._n = np.empty(n_expected, np.float32), 0

    def __len__(self) -> int:
        """How many there are."""
        return self._n

    def add(self, samples: Samples) -> None:
        """Append."""
        n = self._n + len(samples)
        if n > len(self._buffer):
            self._move_to(np.empty(2 * n, np.float32), 0)
        self._buffer[self._n : n] = samples
        self._n = n

    def first(self, n: int) -> Samples:
        """Look at the first."""
        return self._buffer[: min(n, self._n)]

    def taken(self, n: int) -> Samples:
        """Take the first; they keep their memory, what is left moves to another place."""
        samples = self.first(n)
        n_left = self._n - len(samples)
        self._move_to(np.empty(max(self._n_expected, n_left), np.float32), len(samples))
        self._n = n_left
        return samples

    def _move_to(self, buffer: Samples, start: int) -> None:
        buffer[: self._n - start] = self._buffer[start : self._n]
        self._buffer = buffer

    def resize(self, n: int) -> None:
        """Drop what is too much, or add silence."""
        self.add(np.zeros(max(0, n - self._n), np.float32))
        self._n = n


class Held:
    """What of the sound is not in a stretch yet, at both rates, and its speech probabilities.

    Args:
        n_frames: of 32 ms, that it will hold at most, if all goes well.
    """

    def __init__(self, n_frames: int) -> None:
        self.clips, self.speech = Queue(n_frames * FRAME_24K), Queue(n_frames * FRAME_SAMPLES)
        self.probabilities = Queue(n_frames)

    def add(self, clips: Samples, speech: Samples, probabilities: Samples) -> None:
        """Append."""
        self.clips.add(clips)
        self.speech.add(speech)
        self.probabilities.add(probabilities)

    def has(self, n_frames: int) -> bool:
        """True when all of so many frames is there."""
        return (
            len(self.probabilities) >= n_frames
            and len(self.speech) >= n_frames * FRAME_SAMPLES
            and len(self.clips) >= n_frames * FRAME_24K
        )

    def end(self, n_clips: int) -> None:
        """Bring the end to what positions say: a resampler may give one sample more or less."""
        self.clips.resize(n_clips)
        self.probabilities.resize(-(-n_clips // FRAME_24K))

    def taken(self, n_frames: int | None) -> tuple[Samples, Samples, Samples]:
        """The first frames, or all: at 24 kHz, at 16 kHz, and their probabilities."""
        n_frames = n_frames if n_frames is not None else len(self.clips) + len(self.probabilities)  # more than all
        return (
            self.clips.taken(n_frames * FRAME_24K),
            self.speech.taken(n_frames * FRAME_SAMPLES),
            self.probabilities.taken(n_frames),
        )
