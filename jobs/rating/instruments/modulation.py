"""Modulation of the envelope and periodicity of the voice: buzz, warble, codec frames, a robot."""

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.rating.instruments.instrument import Check, Instrument, Values, falls
from jobs.rating.instruments.signal import Doubles, Signal

_STEP = CLIP_RATE_HZ // 400  # the envelope has 400 values a second
_WINDOW = 256  # 0.64 s, 1.6 Hz apart
_SLOWEST_HZ, _FASTEST_HZ = 10.0, 75.0  # slower are syllables, faster a deep voice's pitch
_BANDS_HZ = ((300, 1000), (1000, 2500), (2500, 6000))


def modulation_db(signal: Signal) -> Values:
    """Mean modulation spectrum of three bands, dB, each less its own smooth course."""
    audio = np.asarray(signal.audio, np.float64)
    spectrum = np.fft.rfft(audio)
    hz = np.fft.rfftfreq(len(audio), 1 / CLIP_RATE_HZ)
    found = []
    for low, high in _BANDS_HZ:
        band = np.fft.irfft(np.where((hz >= low) & (hz < high), spectrum, 0), len(audio))
        envelope = np.abs(band)[: len(band) // _STEP * _STEP].reshape(-1, _STEP).mean(axis=1)
        if len(envelope) < 2 * _WINDOW:
            return []
        frames = np.lib.stride_tricks.sliding_window_view(envelope, _WINDOW)[:: _WINDOW // 4]
        frames = (frames - frames.mean(axis=1, keepdims=True)) / (frames.mean(axis=1, keepdims=True) + 1e-6)
        mean = np.mean(np.abs(np.fft.rfft(frames * np.hanning(_WINDOW), axis=1)) ** 2, axis=0)
        rates = np.fft.rfftfreq(_WINDOW, _STEP / CLIP_RATE_HZ)
        level = 10 * np.log10(mean + 1e-9)
        found += list((level - _smooth(level))[(rates >= _SLOWEST_HZ) & (rates <= _FASTEST_HZ)])
    return found


def _smooth(values: Doubles) -> Doubles:
    return np.convolve(np.pad(values, 6, mode="edge"), np.ones(13) / 13, "valid")


def peak(values: Values, own: Values) -> float:
    """Distance: the highest peak above the narrator's, dB."""
    return float(np.subtract(values, own).max())


def voicing_strength(signal: Signal) -> Values:
    """Median periodicity of voiced frames, 0..1."""
    voiced = signal.pitch.hz > 0
    return [float(np.median(signal.pitch.strength[voiced]))] if voiced.sum() > 20 else []


MODULATION = Instrument(
    name="modulation spectrum",
    version="2",
    licence="own code",
    cost=0.003,
    hears="buzz, ring modulation, warble at a fixed rate, joins of codec frames, hoarse or broken voicing",
    does_not_hear="colour that does not move, slow drift",
    checks=(
        Check("buzzing", modulation_db, peak, 5.0, 12.0,
              "buzzes: modulation at a fixed rate {value:.0f} dB above the narrator's (limit {limit:.0f})"),
        Check("hoarse", voicing_strength, falls, 0.08, 0.3,
              "voice less periodic than the narrator's by {value:.2f} (limit {limit:.2f})"),
    ),
)  # fmt: skip
