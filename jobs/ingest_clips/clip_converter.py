"""One curated clip: any rate and format in, 24 kHz mono out, with what was measured of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples, read_clip, sample_rate_hz, write_clip
from jobs.errors import UserError

SILENT_DBFS = -60.0
FULL_SCALE = 0.999  # 16-bit audio that was clipped sits at 32,767 / 32,768 and just below
LOWEST_RATE_HZ = 11_025  # below it the sounds s and f are lost
MIN_CLIPPED_RUN = 3  # a lone full-scale sample is a peak, several in a row are a flattened one


class UnusableError(Exception):
    """A clip that is left out; data, not an error.

    Args:
        reason: stable, lower_snake_case.
        detail: what was found.
        duration_s: of the audio, 0 when unknown.
    """

    def __init__(self, reason: str, detail: str, duration_s: float = 0.0) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.duration_s = duration_s


@dataclass(frozen=True)
class Bounds:
    """Lengths that a clip may have, seconds."""

    min_s: float
    max_s: float


def audio_hash(path: Path) -> str:
    """SHA-256 of an audio file.

    Raises:
        UnusableError: ``unreadable``.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UnusableError("unreadable", f"{path}: {error.strerror}") from error


def convert_clip(source: Path, target: Path, bounds: Bounds) -> tuple[float, dict[str, float]]:
    """Write ``source`` as 24 kHz mono 16-bit WAV.

    Returns:
        Its length in seconds and its quality: ``peak_dbfs``, ``rms_dbfs``, ``clipped`` (share of samples in
        flattened peaks, 0..1).

    Raises:
        UnusableError: ``unreadable``, ``empty``, ``sample_rate_low``, ``too_short``, ``too_long``, ``silent``. Nothing
            is written then.
    """
    try:
        rate_hz = sample_rate_hz(source)
        samples = read_clip(source, CLIP_RATE_HZ)
    except UserError as error:
        raise UnusableError("empty" if error.code == "audio_empty" else "unreadable", error.message) from error
    duration_s = len(samples) / CLIP_RATE_HZ
    if not np.isfinite(samples).all():
        raise UnusableError("unreadable", f"{source} holds samples that are not numbers", duration_s)
    if rate_hz < LOWEST_RATE_HZ:
        why = f"{rate_hz} Hz hold nothing above {rate_hz // 2} Hz; at least {LOWEST_RATE_HZ} Hz are needed"
        raise UnusableError("sample_rate_low", why, duration_s)
    if duration_s < bounds.min_s:
        raise UnusableError("too_short", f"{duration_s:.2f} s is under {bounds.min_s} s", duration_s)
    if duration_s > bounds.max_s:
        raise UnusableError("too_long", f"{duration_s:.2f} s is over {bounds.max_s} s", duration_s)
    quality = measure(samples)
    if quality["peak_dbfs"] < SILENT_DBFS:
        raise UnusableError("silent", f"its peak is {quality['peak_dbfs']} dBFS", duration_s)
    write_clip(target, samples, CLIP_RATE_HZ)
    return round(duration_s, 4), quality


def measure(samples: Samples) -> dict[str, float]:
    """Level and clipping of mono samples, shape ``(n,)``; levels in dB below full scale."""
    magnitude = np.abs(samples)
    return {
        "peak_dbfs": _decibels(float(magnitude.max())),
        "rms_dbfs": _decibels(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))),
        "clipped": round(_clipped_share(magnitude), 6),
    }


def _clipped_share(magnitude: Samples) -> float:
    """Share of samples that belong to runs of at least ``MIN_CLIPPED_RUN`` at full scale."""
    is_full = np.concatenate([[False], magnitude >= FULL_SCALE, [False]])
    edges = np.flatnonzero(np.diff(is_full.astype(np.int8)))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= MIN_CLIPPED_RUN].sum()) / len(magnitude)


def _decibels(amplitude: float) -> float:
    return round(20 * float(np.log10(max(amplitude, 1e-6))), 2)
