"""Another tempo at the same pitch, while the sound comes: FFmpeg's ``atempo``."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.qwen.speech.sound import Samples

SLOWEST, FASTEST = 0.25, 4.0
"""Of OpenAI's ``speed``."""
LEAST_STEP, MOST_STEP = 0.5, 2.0
"""``atempo`` goes no slower, and beyond twice the speed it leaves samples out."""


class TimeStretch:
    """Stretch of one take; its samples do not depend on the parts in which it comes."""

    def __init__(self, speed: float) -> None:
        """Prepare.

        Args:
            speed: 2 is twice as fast; from ``SLOWEST`` to ``FASTEST``.
        """
        self._graph = Graph()
        last = self._graph.add_abuffer(
            format="flt", sample_rate=SAMPLE_RATE_HZ, layout="mono", time_base=Fraction(1, SAMPLE_RATE_HZ)
        )
        for step in _divide(speed):
            tempo = self._graph.add("atempo", f"{step:.6f}")
            last.link_to(tempo)
            last = tempo
        last.link_to(self._graph.add("abuffersink"))
        self._graph.configure()
        self._n_samples = 0

    def stretch(self, samples: Samples) -> Samples:
        """Return what the next samples give; a part of them comes with later ones."""
        if not len(samples):
            return samples
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="flt", layout="mono")
        frame.sample_rate, frame.time_base = SAMPLE_RATE_HZ, Fraction(1, SAMPLE_RATE_HZ)
        frame.pts = self._n_samples
        self._n_samples += len(samples)
        self._graph.push(frame)
        return self._pull()

    def end(self) -> Samples:
        """Return what is left at the end."""
        self._graph.push(None)
        return self._pull()

    def _pull(self) -> Samples:
        found = [np.zeros(0, np.float32)]
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return np.concatenate(found)
            assert isinstance(frame, av.AudioFrame)
            found.append(frame.to_ndarray()[0])


def _divide(speed: float) -> list[float]:
    """Divide a speed into steps that multiply to it."""
    steps = []
    while not LEAST_STEP <= speed <= MOST_STEP:
        steps.append(LEAST_STEP if speed < LEAST_STEP else MOST_STEP)
        speed /= steps[-1]
    return [*steps, speed]
