"""Resampling of audio."""

import numpy as np
import soxr

from jobs.audio.recording import Samples as Samples


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Change the rate of mono samples; soxr's HQ quality."""
    if from_hz == to_hz:
        return samples.astype(np.float32, copy=False)
    changed: Samples = soxr.resample(samples, from_hz, to_hz, quality="HQ").astype(np.float32, copy=False)
    return changed
