"""Converter of one curated clip: any rate and format to 24 kHz mono WAV, with level and clipping measured."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples, read_clip, sample_rate_hz, write_clip
from jobs.dataset.manifest import RejectionError
from jobs.errors import UserError

SILENT_DBFS = -60.0
FULL_SCALE = 0.999  # 16-bit audio that was clipped sits at 32,767 / 32,768 and just below
LOWEST_RATE_HZ = 11_025  # a lower rate lacks the sounds s and f
MIN_CLIPPED_RUN = 3  # a single full-scale sample is a peak, several in a row are a flattened peak


class RejectedAudio(RejectionError):
    """Rejection of a clip by its audio; ``duration_s`` is 0 when unknown."""

    def __init__(self, reason: str, detail: str, duration_s: float = 0.0) -> None:
        super().__init__(reason, detail)
        self.duration_s = duration_s


@dataclass(frozen=True)
class DurationLimits:
    """Shortest and longest clip, seconds."""

    min_s: float
    max_s: float


def hash_audio(path: Path) -> str:
    """Return the SHA-256 of an audio file.

    Raises:
        RejectedAudio: ``unreadable``.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise RejectedAudio("unreadable", f"{path}: {error.strerror}") from error


def convert_clip(source: Path, target: Path, limits: DurationLimits) -> tuple[float, dict[str, float]]:
    """Write ``source`` as 24 kHz mono 16-bit WAV.

    Returns:
        Length in seconds and quality: ``peak_dbfs``, ``rms_dbfs``, ``clipped`` (share of samples in flattened peaks,
        0..1).

    Raises:
        RejectedAudio: ``unreadable``, ``empty``, ``sample_rate_low``, ``too_short``, ``too_long``, ``silent``. No file
            is written.
    """
    try:
        rate_hz = sample_rate_hz(source)
        samples = read_clip(source, CLIP_RATE_HZ)
    except UserError as error:
        raise RejectedAudio("empty" if error.code == "audio_empty" else "unreadable", error.message) from error
    duration_s = len(samples) / CLIP_RATE_HZ
    if not np.isfinite(samples).all():
        raise RejectedAudio("unreadable", f"{source} holds samples that are not numbers", duration_s)
    if rate_hz < LOWEST_RATE_HZ:
        why = f"{rate_hz} Hz hold nothing above {rate_hz // 2} Hz; at least {LOWEST_RATE_HZ} Hz are needed"
        raise RejectedAudio("sample_rate_low", why, duration_s)
    if duration_s < limits.min_s:
        raise RejectedAudio("too_short", f"{duration_s:.2f} s is under {limits.min_s} s", duration_s)
    if duration_s > limits.max_s:
        raise RejectedAudio("too_long", f"{duration_s:.2f} s is over {limits.max_s} s", duration_s)
    quality = measure(samples)
    if quality["peak_dbfs"] < SILENT_DBFS:
        raise RejectedAudio("silent", f"its peak is {quality['peak_dbfs']} dBFS", duration_s)
    write_clip(target, samples, CLIP_RATE_HZ)
    return round(duration_s, 4), quality


def measure(samples: Samples) -> dict[str, float]:
    """Measure level and clipping of mono samples, shape ``(n,)``; levels in dBFS."""
    magnitude = np.abs(samples)
    return {
        "peak_dbfs": _decibels(float(magnitude.max())),
        "rms_dbfs": _decibels(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))),
        "clipped": round(_clipped_share(magnitude), 6),
    }


def _clipped_share(magnitude: Samples) -> float:
    """Compute the share of samples in runs of at least ``MIN_CLIPPED_RUN`` at full scale."""
    is_full = np.concatenate([[False], magnitude >= FULL_SCALE, [False]])
    edges = np.flatnonzero(np.diff(is_full.astype(np.int8)))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= MIN_CLIPPED_RUN].sum()) / len(magnitude)


def _decibels(amplitude: float) -> float:
    return round(20 * float(np.log10(max(amplitude, 1e-6))), 2)
