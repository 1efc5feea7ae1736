"""Signal measures on sounds whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.audio.acoustic_features import SAMPLE_RATE_HZ, prosody


def bursts(hz: float = 200.0, on_s: float = 0.3, off_s: float = 0.2, n: int = 4) -> np.ndarray:
    """Tones of ``on_s`` with pauses of ``off_s`` between them, as loud as speech."""
    tone = 0.3 * np.sin(2 * np.pi * hz * np.arange(int(on_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ)
    pause = np.zeros(int(off_s * SAMPLE_RATE_HZ))
    return np.concatenate([*[np.concatenate([tone, pause])] * (n - 1), tone]).astype(np.float32)


def test_pauses_and_tail_are_measured_to_a_frame() -> None:
    audio = np.concatenate([bursts(off_s=0.4), np.zeros(int(1.5 * SAMPLE_RATE_HZ))]).astype(np.float32)

    measured = prosody(audio)

    assert measured.duration_s == pytest.approx(3.9)
    assert measured.longest_pause_s == pytest.approx(0.4, abs=0.03)
    assert measured.tail_s == pytest.approx(1.5, abs=0.03)
    assert measured.speech_span_s == pytest.approx(2.4, abs=0.03)


def test_a_tones_pitch_is_found_and_does_not_vary() -> None:
    measured = prosody(bursts(hz=180.0))

    assert measured.pitch_hz == pytest.approx(180, rel=0.01)
    assert measured.pitch_sd_st is not None
    assert measured.pitch_sd_st < 0.3


def test_noise_has_a_flat_envelope_and_bursts_have_not() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * SAMPLE_RATE_HZ).astype(np.float32)

    assert prosody(noise).envelope_sd_db < 3.5
    assert prosody(bursts()).envelope_sd_db > 8


def test_hard_clipping_leaves_flat_tops() -> None:
    audio = bursts()

    assert prosody(audio).flat_share < 0.01
    assert prosody(np.clip(audio * 8, -0.5, 0.5)).flat_share > 0.1


def test_treble_is_what_a_low_pass_takes() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE_HZ).astype(np.float32)
    spectrum = np.fft.rfft(noise)
    spectrum[4000:] = 0  # one second: a bin is a hertz

    lowered = np.fft.irfft(spectrum, len(noise)).astype(np.float32)

    assert (prosody(noise).treble_db or 0) > -3
    assert (prosody(lowered).treble_db or 0) < -30


@pytest.mark.parametrize("n_samples", [0, 100, 24_000])
def test_silence_of_any_length_is_silent(n_samples: int) -> None:
    measured = prosody(np.zeros(n_samples, np.float32))

    assert measured.is_silent
    assert measured.pitch_hz is None
