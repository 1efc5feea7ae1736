"""DNSMOS orders what everybody would order."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.audio.dnsmos import Dnsmos
from jobs.audio.resampling import resample


def test_noise_lowers_the_predicted_opinion_and_pure_noise_is_no_speech(
    fables: list[tuple[str, np.ndarray]],
) -> None:
    speech = resample(fables[1][1], 24_000, 16_000)
    noise = np.random.default_rng(0).normal(0, 1, len(speech)).astype(np.float32) * float(np.std(speech))
    dnsmos = Dnsmos()

    clean, noisy, only_noise = (dnsmos.predict(audio) for audio in (speech, speech + noise, noise))

    assert clean.ovrl > noisy.ovrl + 0.5
    assert clean.p808 > noisy.p808 + 0.3
    assert only_noise.ovrl < 1.35


def test_the_nets_answer_what_they_answer_with_librosas_spectrogram() -> None:
    t = np.arange(5 * 16_000) / 16_000
    buzz = 0.2 * np.sign(np.sin(2 * np.pi * 140 * t)) * (np.sin(2 * np.pi * 2.5 * t) > 0) * np.hanning(len(t))

    mos = Dnsmos().predict(buzz.astype(np.float32))

    # Computed once with librosa 0.11's melspectrogram and power_to_db, as speechmos does.
    assert (mos.ovrl, mos.sig, mos.bak) == pytest.approx((1.9932, 2.5119, 3.3008), abs=2e-3)
    assert mos.p808 == pytest.approx(2.5446, abs=2e-3)


def test_audio_longer_than_a_window_is_heard_to_its_end() -> None:
    rng = np.random.default_rng(0)
    quiet, loud = np.zeros(12 * 16_000, np.float32), rng.normal(0, 0.1, 12 * 16_000).astype(np.float32)
    dnsmos = Dnsmos()

    assert dnsmos.predict(np.concatenate([quiet, loud])).ovrl != pytest.approx(dnsmos.predict(quiet).ovrl, abs=0.02)
