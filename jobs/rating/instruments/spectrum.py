"""Long-term spectrum against the narrator's: lost bands, resonances, tilt, and a comb in the fine structure."""

import itertools

import numpy as np
from scipy.ndimage import median_filter

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.rating.instruments.instrument import Check, Instrument, Values
from jobs.rating.instruments.signal import N_FFT, Doubles, Signal

_HZ = np.arange(N_FFT // 2 + 1) * CLIP_RATE_HZ / N_FFT
_EDGES = 200.0 * 2 ** (np.arange(0, 35) / 6)  # sixths of an octave, 200 Hz to 10.2 kHz
_CENTRES = np.sqrt(_EDGES[1:] * _EDGES[:-1])
_REFERENCE = (_CENTRES > 300) & (_CENTRES < 2500)  # every telephone carries these
_ABOVE_HARMONICS = _CENTRES > 1000  # lower bands hold one harmonic each, and stand out in every short clip
_AROUND = 15  # bands, two and a half octaves, whose median is what a resonance stands out from
_WIDE = 3  # bands that must be lost together: half an octave
_QUEFRENCY_S = (0.0012, 0.016)  # echoes of a comb and constant pitch; below is the shape of the vocal tract


def bands_db(signal: Signal) -> Values:
    """Mean level of each band while there is speech, dB above the mean of the middle bands."""
    mean = signal.power.mean(axis=0)
    levels = np.array(
        [10 * np.log10(mean[(low <= _HZ) & (high > _HZ)].mean()) for low, high in itertools.pairwise(_EDGES)]
    )
    return list(levels - levels[_REFERENCE].mean())


def log_bands_db(signal: Signal) -> Values:
    """Level of each band in the mean over frames of the logarithm, dB above the mean of the middle bands.

    A few loud vowels decide a mean of powers; every frame counts alike in this one, so a fixed resonance stays.
    """
    levels = np.array(
        [
            10 * np.log10(signal.power[:, (low <= _HZ) & (high > _HZ)].mean(axis=1)).mean()
            for low, high in itertools.pairwise(_EDGES)
        ]
    )
    return list(levels - levels[_REFERENCE].mean())


def lost_bands(values: Values, own: Values) -> float:
    """Distance: the loss, dB, of the half octave that lost most."""
    return float(_running_mean(np.subtract(own, values)).max())


def resonance(values: Values, own: Values) -> float:
    """Distance: the gain, dB, of the sixth of an octave that stands out most from the median of those around it."""
    gain = np.subtract(values, own)
    smooth = median_filter(gain, _AROUND, mode="nearest")
    return float((gain - smooth)[_ABOVE_HARMONICS].max())


def tilt(values: Values, own: Values) -> float:
    """Distance: difference of the slope over the bands, dB for each octave."""
    slope = np.polyfit(np.log2(_CENTRES), np.subtract(values, own), 1)[0]
    return abs(float(slope))


def _running_mean(values: Doubles) -> Doubles:
    return np.convolve(values, np.ones(_WIDE) / _WIDE, "valid")


def fine_structure(signal: Signal) -> Values:
    """Cepstrum of the mean log spectrum between 1.2 and 16 ms: a comb, or a pitch that never moves, is a peak."""
    log_power = np.log(signal.power).mean(axis=0)
    used = _HZ < 9000.0
    cepstrum = np.abs(np.fft.irfft(np.where(used, log_power - log_power[used].mean(), 0.0)))
    first, last = (int(CLIP_RATE_HZ * each) for each in _QUEFRENCY_S)
    return list(cepstrum[first:last])


def comb(values: Values, own: Values) -> float:
    """Distance: the highest peak above the narrator's, in nepers."""
    return float(np.subtract(values, own).max())


SPECTRUM = Instrument(
    name="long-term spectrum",
    version="2",
    licence="own code",
    cost=0.004,
    hears="low-pass and telephone bands, muffled or thin sound, a resonance, a comb filter, constant pitch",
    does_not_hear="words, short faults, a wrong voice of the same timbre",
    checks=(
        Check("dull", bands_db, lost_bands, 9.0, 18.0,
              "muffled: {value:.0f} dB less in a half octave than the narrator (limit {limit:.0f})"),
        Check("ringing", log_bands_db, resonance, 5.5, 8.0,
              "rings: a band stands {value:.0f} dB above the narrator's (limit {limit:.0f})"),
        Check("tilt", bands_db, tilt, 3.0, 6.0,
              "spectrum tilted {value:.1f} dB an octave against the narrator's (limit {limit:.1f})"),
        Check("metallic", fine_structure, comb, 0.15, 0.25,
              "metallic: fixed peaks in the fine spectrum, {value:.2f} above the narrator's (limit {limit:.2f})"),
    ),
)  # fmt: skip
