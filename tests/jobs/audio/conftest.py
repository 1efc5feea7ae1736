"""Signals that several tests of speech use."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def sine() -> np.ndarray:
    """Two seconds of 440 Hz at 24 kHz, float32."""
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 24_000)).astype(np.float32)
