"""Melody and energy against the narrator's spread: range and movement of the pitch, level, drift, the last fall."""

import numpy as np

from jobs.rating.instruments.instrument import Check, Instrument, Values, falls, rises
from jobs.rating.instruments.signal import PITCH_HOP_S, Doubles, Signal

_MIN_VOICED = 40  # frames
_OCTAVE_ERROR_ST = 9.0  # from the median: the tracker's error more often than speech
_SMOOTH = 5  # frames
_LONG_S = 6.0  # shorter clips have no drift
_LAST_S = 0.35


def semitones(signal: Signal) -> tuple[Doubles, Doubles]:
    """Times and pitch above the median, of voiced frames without octave errors."""
    hz = signal.pitch.hz
    at = np.flatnonzero(hz > 0)
    if len(at) < _MIN_VOICED:
        return np.zeros(0), np.zeros(0)
    pitch = 12 * np.log2(hz[at] / np.median(hz[at]))
    kept = np.abs(pitch) < _OCTAVE_ERROR_ST
    return at[kept] * PITCH_HOP_S, pitch[kept]


def pitch_range(signal: Signal) -> Values:
    """Log of the range in semitones that holds four fifths of the pitch."""
    _, pitch = semitones(signal)
    return [float(np.log(max(np.diff(np.percentile(pitch, [10, 90]))[0], 0.05)))] if len(pitch) else []


def pitch_movement(signal: Signal) -> Values:
    """Log of the median movement of the pitch, semitones a second, within voiced stretches."""
    times, pitch = semitones(signal)
    if not len(pitch):
        return []
    step = _SMOOTH
    together = times[step:] - times[:-step] < (step + 0.5) * PITCH_HOP_S
    moves = np.abs(pitch[step:] - pitch[:-step])[together] / (step * PITCH_HOP_S)
    return [float(np.log(max(np.median(moves), 0.2)))] if len(moves) > _MIN_VOICED else []


def drift(signal: Signal) -> Values:
    """Median pitch of the last third above the first third's, semitones; of long clips only."""
    times, pitch = semitones(signal)
    if signal.duration_s < _LONG_S or not len(pitch):
        return []
    first, last = pitch[times < signal.duration_s / 3], pitch[times > signal.duration_s * 2 / 3]
    return [float(np.median(last) - np.median(first))] if min(len(first), len(last)) > _MIN_VOICED else []


def either_way(values: Values, own: Values) -> float:
    """Distance: difference to the narrator's usual, up or down."""
    return abs(values[0] - own[0])


def final_rise(signal: Signal) -> Values:
    """Pitch at the end of a statement above its median, semitones; of texts that end with a full stop only."""
    times, pitch = semitones(signal)
    if not signal.text.rstrip("\"'”’)").endswith(".") or not len(pitch):
        return []
    last = pitch[times > times[-1] - _LAST_S]
    return [float(np.median(last))] if len(last) >= 8 else []


def level_range(signal: Signal) -> Values:
    """Range of the level between the quiet and the loud tenth of the speech, dB."""
    level = 10 * np.log10(signal.power.sum(axis=1))
    return [float(np.diff(np.percentile(level, [10, 90]))[0])] if len(level) > _MIN_VOICED else []


MELODY = Instrument(
    name="melody and energy",
    version="1",
    licence="own code",
    cost=0.006,
    hears="flattened or exaggerated pitch, levelled loudness, pitch that drifts, a statement that ends like a question",
    does_not_hear="wrong stress, emotion, a melody of the right range in the wrong place",
    checks=(
        Check("monotone", pitch_range, falls, 0.5, 1.0,
              "monotone: range of the pitch {value:.1f} below the narrator's, as a logarithm (limit {limit:.1f})",
              part="voice"),
        Check("flat_melody", pitch_movement, falls, 0.5, 1.0,
              "flat melody: movement of the pitch {value:.1f} below the narrator's, as a logarithm (limit {limit:.1f})",
              part="voice"),
        Check("drifts", drift, either_way, 3.0, 8.0,
              "pitch drifts {value:.1f} semitones more than the narrator's over the take (limit {limit:.1f})", cap=4.0,
              part="voice"),
        Check("ends_rising", final_rise, rises, 4.0, 9.0,
              "ends {value:.1f} semitones higher than the narrator's statements (limit {limit:.1f})", cap=4.0,
              part="voice"),
        Check("levelled", level_range, falls, 8.0, 12.0,
              "levelled: loudness varies {value:.0f} dB less than the narrator's (limit {limit:.0f})", cap=4.0,
              part="sound"),
    ),
)  # fmt: skip
