"""Signal metrics of sounds whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.audio.acoustic_features import prosody
from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.dataset.quality.signal_metrics import is_tonal, loudness, measure_signal

SECONDS = np.arange(4 * CLIP_RATE_HZ) / CLIP_RATE_HZ


def noise(level: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, level, len(SECONDS))


def bursts(hz: float = 1000.0) -> np.ndarray:
    """A tone of 0.3 s in every half second, with a level of -13.5 dBFS."""
    return 0.3 * np.sin(2 * np.pi * hz * SECONDS) * (SECONDS % 0.5 < 0.3)


def measured(samples: np.ndarray) -> dict[str, float]:
    audio = samples.astype(np.float32)
    return measure_signal(audio, prosody(audio))


def test_snr_and_background_are_those_of_the_noise_that_was_added() -> None:
    found = measured(bursts() + noise(0.003))

    assert found["background_dbfs"] == pytest.approx(20 * np.log10(0.003), abs=1)
    assert found["snr_db"] == pytest.approx(-13.5 - found["background_dbfs"], abs=1)


def test_bandwidth_is_where_a_low_pass_cuts() -> None:
    spectrum = np.fft.rfft(noise(0.1))
    spectrum[np.fft.rfftfreq(len(SECONDS), 1 / CLIP_RATE_HZ) > 3400] = 0

    assert measured(np.fft.irfft(spectrum))["bandwidth_hz"] == pytest.approx(3400, abs=150)
    assert measured(noise(0.1))["bandwidth_hz"] > 11_000


def test_a_chord_in_the_background_is_tonal_and_noise_is_not() -> None:
    chord = sum(0.01 * np.sin(2 * np.pi * hz * SECONDS) for hz in (262, 330, 392, 523, 659, 784))

    assert is_tonal(measured(bursts() + chord + noise(0.001))["tonality_db"])
    assert not is_tonal(measured(bursts() + noise(0.003))["tonality_db"])


def test_loudness_is_that_of_the_standard() -> None:  # ITU-R BS.1770-4: 997 Hz at 0 dBFS in one channel
    assert loudness(np.sin(2 * np.pi * 997 * SECONDS).astype(np.float32)) == pytest.approx(-3.01, abs=0.1)
    assert loudness(np.zeros(10, np.float32)) == -70.0
