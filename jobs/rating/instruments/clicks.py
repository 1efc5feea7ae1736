"""Clicks and discontinuities: samples that a linear prediction from their neighbours misses by far."""

import numpy as np
from scipy.linalg import solve_toeplitz
from scipy.ndimage import maximum_filter1d
from scipy.signal import lfilter

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.rating.instruments.instrument import Check, Instrument, Values, rises
from jobs.rating.instruments.signal import Doubles, Signal

_ORDER = 20
_BLOCK = CLIP_RATE_HZ // 25  # 40 ms: speech is stationary for about as long
_NEAR = CLIP_RATE_HZ // 1000  # 1 ms, that a click takes itself
_AROUND = CLIP_RATE_HZ // 60  # 17 ms on either side, in which a voice has a pulse
_OUTLIER = 2.5  # times the greatest error around
_LEAST_ERROR = 1e-3  # of full scale; smaller ones cannot be heard
_DEAD = CLIP_RATE_HZ // 200  # 5 ms: one click, however it rings


def click_rate(signal: Signal) -> Values:
    """Clicks for each second."""
    audio = np.asarray(signal.audio, np.float64)
    error = np.abs(_prediction_error(audio))
    width, shift = _AROUND - _NEAR, (_AROUND + _NEAR) // 2
    around = np.maximum(maximum_filter1d(np.roll(error, shift), width), maximum_filter1d(np.roll(error, -shift), width))
    found = np.flatnonzero((error > _OUTLIER * around) & (error > _LEAST_ERROR))
    n_clicks = 0 if not len(found) else 1 + int(np.count_nonzero(np.diff(found) > _DEAD))
    return [n_clicks / max(signal.duration_s, 0.1)]


def _prediction_error(audio: Doubles) -> Doubles:
    """Error of a linear prediction, fitted block by block."""
    error = np.zeros(len(audio))
    window = np.hanning(2 * _BLOCK)
    for start in range(0, len(audio), _BLOCK):
        around = audio[max(0, start - _BLOCK // 2) : start + _BLOCK + _BLOCK // 2]
        if len(around) < 2 * _ORDER:
            continue
        shaped = around * window[: len(around)]
        spectrum = np.abs(np.fft.rfft(shaped, 4096)) ** 2
        lags = np.fft.irfft(spectrum)[: _ORDER + 1]
        if lags[0] <= 1e-12:
            continue
        lags[0] *= 1.0001
        filter_ = np.concatenate([[1.0], -solve_toeplitz(lags[:-1], lags[1:])])
        context = audio[max(0, start - _ORDER) : start + _BLOCK]
        n_new = len(audio[start : start + _BLOCK])
        error[start : start + n_new] = lfilter(filter_, [1.0], context)[len(context) - n_new :]
    return error


CLICKS = Instrument(
    name="clicks",
    version="1",
    licence="own code",
    cost=0.004,
    hears="clicks, pops, cuts in the waveform, dropped codec frames",
    does_not_hear="cross-faded cuts, hiss, clicks under the speech's own level",
    checks=(
        Check("clicks", click_rate, rises, 1.2, 6.0,
              "clicks: {value:.1f} a second more than the narrator (limit {limit:.1f})"),
    ),
)  # fmt: skip
