"""Resampling of audio."""

import numpy as np
import soxr

from jobs.audio.recording import Samples as Samples

_QUALITY = "HQ"


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Change the rate of mono samples; soxr's HQ quality."""
    if from_hz == to_hz:
        return samples.astype(np.float32, copy=False)
    changed: Samples = soxr.resample(samples, from_hz, to_hz, quality=_QUALITY).astype(np.float32, copy=False)
    return changed


def open_resample_stream(from_hz: int, to_hz: int) -> soxr.ResampleStream:
    """Open a resampler for mono float32 samples that arrive in blocks; the same quality."""
    return soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality=_QUALITY)
