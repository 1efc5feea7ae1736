"""Sound of a take and of a reference clip. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.codec_format import SAMPLE_RATE_HZ

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Reference:
    """A clip whose voice a base model clones.

    Attributes:
        samples: float32 mono at 24 kHz.
        text: transcript of the clip. With it the model continues the clip, which gives the closest likeness; without
            it the model takes the timbre alone.
    """

    samples: Samples
    text: str | None = None

    @property
    def duration_s(self) -> float:
        """Length of the clip in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Speech:
    """Synthesized audio, float32 mono at 24 kHz.

    Attributes:
        hit_limit: it was cut at the limit because it did not end.
        compute_s: its share of the time that the takes spoken beside it took.
    """

    samples: Samples
    hit_limit: bool
    compute_s: float

    @property
    def duration_s(self) -> float:
        """Length of the audio in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ
