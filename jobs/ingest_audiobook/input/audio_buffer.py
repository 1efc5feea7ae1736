"""Preallocated buffers for decoded audio that is not yet part of a speech chunk, and when their memory is released."""

import contextlib
import ctypes

import numpy as np

from jobs.asr.silero_vad import FRAME_SAMPLES
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ, Samples

FRAME_24K = FRAME_SAMPLES * CLIP_RATE_HZ // SPEECH_RATE_HZ  # 768: a frame begins at a sample at both rates
M_MMAP_THRESHOLD = -3  # malloc.h
LARGE_BYTES = 1 << 20


def release_large_blocks() -> None:
    """Return freed blocks of 1 MiB and more to the operating system at once (glibc only; a no-op elsewhere).

    By default glibc raises this threshold, and the audio of a long book fragments the heap: measured as 33 MB that
    come and go at random on top of 200 MB.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


class SampleQueue:
    """First-in, first-out queue of samples.

    Memory is allocated once for each chunk and filled in place. Joining arrays instead would copy all samples with
    every block and hold them in memory twice.
    """

    def __init__(self, n_expected: int) -> None:
        self._n_expected = n_expected
        self._buffer, self._n = np.empty(n_expected, np.float32), 0

    def __len__(self) -> int:
        """Return the number of samples."""
        return self._n

    def add(self, samples: Samples) -> None:
        """Append samples."""
        n = self._n + len(samples)
        if n > len(self._buffer):
            self._move_to(np.empty(2 * n, np.float32), 0)
        self._buffer[self._n : n] = samples
        self._n = n

    def peek(self, n: int) -> Samples:
        """Return the first ``n`` samples without removing them."""
        return self._buffer[: min(n, self._n)]

    def take(self, n: int) -> Samples:
        """Remove and return the first ``n`` samples. They keep their memory; the rest is copied to a new buffer."""
        samples = self.peek(n)
        n_left = self._n - len(samples)
        self._move_to(np.empty(max(self._n_expected, n_left), np.float32), len(samples))
        self._n = n_left
        return samples

    def _move_to(self, buffer: Samples, start: int) -> None:
        buffer[: self._n - start] = self._buffer[start : self._n]
        self._buffer = buffer

    def resize(self, n: int) -> None:
        """Truncate to ``n`` samples, or pad with zeros."""
        self.add(np.zeros(max(0, n - self._n), np.float32))
        self._n = n


class AudioBuffer:
    """Audio that is not in a chunk yet, at 24 kHz and 16 kHz, with its speech probabilities."""

    def __init__(self, n_frames: int) -> None:
        self.audio_24k, self.audio_16k = SampleQueue(n_frames * FRAME_24K), SampleQueue(n_frames * FRAME_SAMPLES)
        self.probabilities = SampleQueue(n_frames)

    def add(self, audio_24k: Samples, audio_16k: Samples, probabilities: Samples) -> None:
        """Append the same audio at both rates, and the probabilities that are known by now."""
        self.audio_24k.add(audio_24k)
        self.audio_16k.add(audio_16k)
        self.probabilities.add(probabilities)

    def has(self, n_frames: int) -> bool:
        """Return True when ``n_frames`` are complete at both rates."""
        return (
            len(self.probabilities) >= n_frames
            and len(self.audio_16k) >= n_frames * FRAME_SAMPLES
            and len(self.audio_24k) >= n_frames * FRAME_24K
        )

    def resize(self, n_24k: int) -> None:
        """Set the length that positions imply, samples at 24 kHz: a resampler may return one sample more or less."""
        self.audio_24k.resize(n_24k)
        self.probabilities.resize(-(-n_24k // FRAME_24K))

    def take(self, n_frames: int | None) -> tuple[Samples, Samples, Samples]:
        """Remove and return the first frames, or all: at 24 kHz, at 16 kHz, and their probabilities."""
        n_frames = n_frames if n_frames is not None else len(self.audio_24k) + len(self.probabilities)  # more than all
        return (
            self.audio_24k.take(n_frames * FRAME_24K),
            self.audio_16k.take(n_frames * FRAME_SAMPLES),
            self.probabilities.take(n_frames),
        )
