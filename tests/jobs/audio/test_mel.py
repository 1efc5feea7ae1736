"""Mel spectrograms against an independent implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jobs.audio.mel import mel_power


@pytest.mark.parametrize(("n_fft", "n_mels"), [(400, 40), (512, 64)])
def test_mel_power_equals_torchaudios_with_slaney_filters(n_fft: int, n_mels: int) -> None:
    functional = pytest.importorskip("torchaudio.functional")
    audio = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    filters = functional.melscale_fbanks(n_fft // 2 + 1, 0.0, 8000.0, n_mels, 16_000, norm="slaney", mel_scale="slaney")
    spectrum = torch.stft(
        torch.from_numpy(audio), n_fft, 160, window=torch.hann_window(n_fft), pad_mode="constant", return_complex=True
    )

    ours = mel_power(audio, rate_hz=16_000, n_fft=n_fft, hop=160, n_mels=n_mels)

    expected = (spectrum.abs().square().T @ filters).numpy()
    assert ours.shape == expected.shape == (51, n_mels)
    np.testing.assert_allclose(ours, expected, rtol=2e-3, atol=1e-6)
