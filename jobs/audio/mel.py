"""Mel power spectrograms as librosa makes them, without librosa: importing its numba costs 5 to 20 s a process.

Only what the speaker encoder and DNSMOS were trained on: Hann window, centred frames, zero padding, Slaney's mel
scale with area-normalised triangles.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Slaney's Auditory Toolbox: linear below 1 kHz (200/3 Hz a mel), then 27 steps for each factor 6.4.
_HZ_PER_MEL = 200.0 / 3
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def mel_power(audio: Floats, *, rate_hz: int, n_fft: int, hop: int, n_mels: int) -> Floats:
    """Mel power spectrogram (frames, n_mels), equal to ``librosa.feature.melspectrogram(...).T`` to float precision.

    ``audio`` is (samples,); ``n_fft`` (may be odd) and ``hop`` are in samples; bands go up to half ``rate_hz``.
    """
    padded = np.pad(audio.astype(np.float32), n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    # The periodic Hann window, as scipy's fftbins=True.
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2  # (frames, n_fft // 2 + 1)
    return (power @ mel_filters(rate_hz, n_fft, n_mels).T.astype(np.float64)).astype(np.float32)


@cache
def mel_filters(rate_hz: int, n_fft: int, n_mels: int) -> Floats:
    """Triangular filters, (n_mels, n_fft // 2 + 1), each of unit area in Hz; bit for bit ``librosa.filters.mel``."""
    edges = _hz(np.linspace(0.0, float(_mel(np.array([rate_hz / 2]))[0]), n_mels + 2))
    bins = np.fft.rfftfreq(n_fft, 1 / rate_hz)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def _mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _KNEE_MEL + np.log(np.maximum(hz, 1e-9) / _KNEE_HZ) / _LOG_STEP
    return np.where(hz < _KNEE_HZ, hz / _HZ_PER_MEL, above)


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < _KNEE_MEL, mel * _HZ_PER_MEL, _KNEE_HZ * np.exp((mel - _KNEE_MEL) * _LOG_STEP))
