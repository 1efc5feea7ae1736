"""Throughput of a run: frames per second."""

import time


class ThroughputMeter:
    """Moving average of frames per second."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._last = time.perf_counter()

    def update(self, n_frames: int) -> float:
        """Add the frames of a step that has just ended, and return the average."""
        now = time.perf_counter()
        newest = n_frames / max(1e-9, now - self._last)
        self._last = now
        self._rate = newest if self._rate == 0 else 0.9 * self._rate + 0.1 * newest
        return self._rate
