"""Packets to mono samples, one decoded frame at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


def decoded(container: Any, stream: Any, rate: int, stamps: list[int] | None = None) -> Iterator[Samples]:
    """Mono float32 arrays of one decoded frame each, at ``rate``; the first frame's stamp goes to ``stamps``."""
    resampler: Any = None
    layout: tuple[str, str, int] | None = None
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            n_lost = int((packet.duration or 0) * packet.time_base * rate) if packet.time_base else 0
            if n_lost:
                yield np.zeros(n_lost, np.float32)
            continue
        for frame in frames:
            if stamps is not None and not stamps:
                stamps.append(int(frame.pts or 0))
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            if found in (("fltp", "mono", rate), ("flt", "mono", rate)):
                yield frame.to_ndarray()[0]
                continue
            if found != layout:  # some files change their layout on the way
                # as floats, libswresample's sum of several channels may be louder than any: only integers are scaled
                form = "flt" if frame.layout.nb_channels == 1 else "s32"
                resampler = av.AudioResampler(format=form, layout="mono", rate=rate)
                layout = found
            frame.pts = None  # let the resampler count samples instead of trusting stamps
            for mono in resampler.resample(frame):
                samples = mono.to_ndarray()[0]
                yield samples if samples.dtype == np.float32 else (samples / 2.0**31).astype(np.float32)


def without_first(n_dropped: int, parts: Iterator[Samples]) -> Iterator[Samples]:
    """The same samples without the first ``n_dropped``."""
    for samples in parts:
        if n_dropped >= len(samples):
            n_dropped -= len(samples)
            continue
        yield samples[n_dropped:] if n_dropped else samples
        n_dropped = 0
