"""Damage of the rating's benchmark: the same each time, so that two runs give the same figures."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ
from tests.support.damage.speech import faster


@pytest.mark.parametrize("times", [0.6, 2.0])
def test_speech_is_stretched_alike_each_time(times: float) -> None:
    seconds = np.arange(2 * CLIP_RATE_HZ) / CLIP_RATE_HZ
    hiss = np.random.default_rng(1).normal(0, 0.02, len(seconds))
    voice = (0.3 * np.sign(np.sin(2 * np.pi * 120 * seconds)) + hiss).astype(np.float32)

    first, again = faster(voice, times), faster(voice, times)

    assert first.tobytes() == again.tobytes()
    assert len(first) == pytest.approx(len(voice) / times, rel=0.05)
