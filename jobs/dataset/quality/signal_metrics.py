"""Signal metrics of a clip, without a model: SNR, tones in the background, bandwidth, loudness, silence.

Level, pauses, clipping and pitch come from ``jobs.audio.acoustic_features``; the limits are in
``jobs.dataset.quality.thresholds``.
"""

import warnings

import numpy as np
import pyloudnorm
from numpy.typing import NDArray

from jobs.audio.acoustic_features import Prosody
from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.audio.mel import Floats

Doubles = NDArray[np.float64]

_FRAME, _HOP = CLIP_RATE_HZ // 50, CLIP_RATE_HZ // 100  # 20 ms, 10 ms
_QUIET_FRAMES = 5  # a pause is judged by 60 ms together: a single frame may fall between two periods
_QUIET_SHARE = 0.05
_SPEECH_RANGE_DB = 30.0
_SPECTRUM, _SPECTRUM_HOP = 2048, 256  # 85 ms: bins of 12 Hz resolve the tones of a chord
_TONES_HZ = (100.0, 4000.0)
_TONE_NEIGHBOURS = 25  # bins; a tone stands out of the median of 300 Hz
_TONAL_DB = 7.0  # real narration's pauses 3.5 to 7, noise 1 to 3, chords 7.5 and more
_EDGE_BELOW_PEAK_DB = 60.0
_EDGE_SMOOTHING = 17  # bins, 200 Hz
_SHORTEST_LOUDNESS_S = 0.4  # one block of ITU-R BS.1770


SIGNAL_NAMES = frozenset(
    {
        *("snr_db", "background_dbfs", "tonality_db", "bandwidth_hz", "loudness_lufs", "head_s", "tail_s"),
        *("longest_pause_s", "clipped_share", "envelope_sd_db", "peak_dbfs"),
    }
)
"""Names of what ``measure_signal`` returns."""


def measure_signal(audio: Floats, prosody: Prosody) -> dict[str, float]:
    """Measure the signal of a clip; ``audio`` is (samples,) mono at 24 kHz, at least 85 ms, not silent."""
    power = _frame_powers(audio)
    background = _background(power)
    levels = 10 * np.log10(power)
    speech = float(np.mean(power[levels > np.percentile(levels, 95) - _SPEECH_RANGE_DB]))
    return {
        "snr_db": round(float(10 * np.log10(speech / background)), 1),
        "background_dbfs": round(float(10 * np.log10(background)), 1),
        "tonality_db": round(_tonality(audio), 1),
        "bandwidth_hz": round(_bandwidth(audio)),
        "loudness_lufs": round(loudness(audio), 1),
        "head_s": round(max(0.0, prosody.duration_s - prosody.speech_span_s - prosody.tail_s), 2),
        "tail_s": round(prosody.tail_s, 2),
        "longest_pause_s": round(prosody.longest_pause_s, 2),
        "clipped_share": round(prosody.flat_share, 4),
        "envelope_sd_db": round(prosody.envelope_sd_db, 1),
        "peak_dbfs": round(float(20 * np.log10(max(float(np.abs(audio).max()), 1e-6))), 1),
    }


def against_pauses(sound: dict[str, float], pause_dbfs: float | None) -> dict[str, float]:
    """The same with ``snr_db`` against the recording's pauses, where their level is known.

    The value against the clip's own quietest parts stays as ``clip_snr_db``: noise that begins with the clip shows only
    there, while a clip without a pause looks noisier there than it is.
    """
    if not sound or pause_dbfs is None:
        return sound
    own = sound["snr_db"]
    return sound | {"snr_db": round(own + sound["background_dbfs"] - pause_dbfs, 1), "clip_snr_db": own}


def is_tonal(tonality_db: float) -> bool:
    """True when the background has tones that stand still: music, or a hum with overtones."""
    return tonality_db >= _TONAL_DB


def loudness(audio: Floats) -> float:
    """Integrated loudness, LUFS (ITU-R BS.1770-4); -70 when there is nothing to hear."""
    audio = np.pad(audio, (0, max(0, round(_SHORTEST_LOUDNESS_S * CLIP_RATE_HZ) + 1 - len(audio))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # log of zero for silent blocks
        value = float(pyloudnorm.Meter(CLIP_RATE_HZ).integrated_loudness(audio.astype(np.float64)))
    return max(-70.0, value) if np.isfinite(value) else -70.0


def _frame_powers(audio: Floats) -> Doubles:
    frames = np.lib.stride_tricks.sliding_window_view(audio.astype(np.float64), _FRAME)[::_HOP]
    return np.asarray(np.mean(frames**2, axis=1) + 1e-12, dtype=np.float64)


def _background(power: Doubles) -> float:
    """Mean power of the quietest twentieth of the clip, in windows of 60 ms."""
    together = np.convolve(power, np.ones(_QUIET_FRAMES) / _QUIET_FRAMES, "valid")
    together = np.sort(together if len(together) else power)
    return float(np.mean(together[: max(3, round(len(together) * _QUIET_SHARE))]))


def _tonality(audio: Floats) -> float:
    """Compute how far, in dB, the strongest tones of the quietest tenth of the clip exceed their neighbourhood.

    The spectra of all quiet windows are added up first: a tone that stays stands out, the ends of words blur.
    """
    frames = np.lib.stride_tricks.sliding_window_view(audio, _SPECTRUM)[::_SPECTRUM_HOP]
    energy = np.mean(np.square(frames, dtype=np.float64), axis=1)
    quiet = np.argsort(energy, kind="stable")[: max(4, len(energy) // 10)]
    power = np.abs(np.fft.rfft(frames[quiet] * np.hanning(_SPECTRUM), axis=1)) ** 2
    hz = np.fft.rfftfreq(_SPECTRUM, 1 / CLIP_RATE_HZ)
    band = (hz >= _TONES_HZ[0]) & (hz <= _TONES_HZ[1])
    level = 10 * np.log10(np.mean(power[:, band], axis=0) + 1e-12)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(level, _TONE_NEIGHBOURS // 2, "reflect"), _TONE_NEIGHBOURS)
    return float(np.percentile(level - np.median(around, axis=1), 97))


def _bandwidth(audio: Floats) -> float:
    """Highest frequency whose mean level is within 60 dB of the strongest, Hz."""
    frames = np.lib.stride_tricks.sliding_window_view(audio, _SPECTRUM)[:: _SPECTRUM // 2]
    power = np.mean(np.abs(np.fft.rfft(frames * np.hanning(_SPECTRUM), axis=1)) ** 2, axis=0) + 1e-12
    smooth = np.convolve(power, np.ones(_EDGE_SMOOTHING) / _EDGE_SMOOTHING, "same")
    level = 10 * np.log10(smooth)
    return float(np.flatnonzero(level > level.max() - _EDGE_BELOW_PEAK_DB)[-1] * CLIP_RATE_HZ / _SPECTRUM)
