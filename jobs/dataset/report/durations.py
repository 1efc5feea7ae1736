"""Lengths of clips and rejections: exact in samples at 24 kHz, and as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.dataset.manifest import Clip, Rejection


def n_samples(row: Clip | Rejection) -> int:
    """Length of a clip or rejection in samples at 24 kHz."""
    source = row.source
    if source is None:
        return round((row.duration_s or 0.0) * CLIP_RATE_HZ) if isinstance(row, Clip) else 0
    return round(source.end_s * CLIP_RATE_HZ) - round(source.start_s * CLIP_RATE_HZ)


def total_samples(kept: Sequence[Clip], rejections: Sequence[Rejection]) -> int:
    """Length of all clips and rejections in samples at 24 kHz: the recording's."""
    return sum(map(n_samples, kept)) + sum(map(n_samples, rejections))


def seconds(samples: int) -> float:
    """Seconds of samples at 24 kHz, exact enough to give the sample back."""
    return round(samples / CLIP_RATE_HZ, 6)


def clock(length_s: float) -> str:
    """``1:02:03`` or ``2:03.4``."""
    minutes, rest = divmod(length_s, 60)
    if minutes < 60:
        return f"{int(minutes)}:{rest:04.1f}"
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{int(rest):02d}"
