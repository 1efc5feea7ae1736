"""Loudness of a chapter by EBU R 128, and a limiter of true peaks."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples
from jobs.audio.resampling import resample

PEAK_DBFS = -4.0
"""Highest true peak before coding. ACX allows -3; AAC and MP3 may add some tenths."""
MOST_GAIN_DB = 30.0
TOLERANCE_LU = 0.1
N_ROUNDS = 4
OVERSAMPLING = 4  # ITU-R BS.1770-5, annex 2
REACH = round(0.005 * CLIP_RATE_HZ)  # samples before and after a peak in which the gain falls and rises
_NOTHING_DBFS = -69.0  # the filter reports -70 where it has heard nothing


@dataclass(frozen=True)
class Loudness:
    """Integrated loudness in LUFS and true peak in dBFS."""

    lufs: float
    peak_dbfs: float


def measure_loudness(blocks: Iterable[Samples]) -> Loudness:
    """Measure sound that arrives in blocks, by libavfilter's ``ebur128``."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=CLIP_RATE_HZ, format="flt", layout="mono", time_base=Fraction(1, CLIP_RATE_HZ)
    )
    meter, sink = graph.add("ebur128", "metadata=1:peak=true"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    found: dict[str, str] = {}
    place = 0
    for block in blocks:
        frame = make_frame(block, place)
        place += len(block)
        graph.push(frame)
        found = _last_metadata(graph) or found
    graph.push(None)
    found = _last_metadata(graph) or found
    peak = float(found.get("lavfi.r128.true_peak", 0.0))
    return Loudness(float(found.get("lavfi.r128.I", -70.0)), 20 * float(np.log10(max(peak, 1e-6))))


def make_frame(samples: Samples, place: int, format_name: str = "flt") -> av.AudioFrame:
    """Return mono samples at 24 kHz as a frame that begins at a sample of the whole."""
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format=format_name, layout="mono")
    frame.sample_rate = CLIP_RATE_HZ
    frame.pts = place
    frame.time_base = Fraction(1, CLIP_RATE_HZ)
    return frame


@dataclass(frozen=True)
class Level:
    """Gain of a chapter, and the highest level of a take between and at its samples."""

    gain_db: float
    limit_dbfs: float = PEAK_DBFS


UNCHANGED = Level(0.0, math.inf)


def find_level(sound: Callable[[Level], Iterable[Samples]], target_lufs: float) -> Level:
    """Return the level at which a chapter has a loudness and keeps ``PEAK_DBFS``; of silence, unchanged.

    Args:
        sound: yields the blocks of a chapter, its takes at a level.
        target_lufs: wanted.
    """
    found = measure_loudness(sound(UNCHANGED))
    if found.lufs < _NOTHING_DBFS:
        return UNCHANGED
    level = Level(min(target_lufs - found.lufs, MOST_GAIN_DB))
    for _ in range(N_ROUNDS):
        found = measure_loudness(sound(level))
        missing_db = target_lufs - found.lufs if level.gain_db < MOST_GAIN_DB else 0.0
        # filters that find peaks between samples differ by some tenths
        over_db = max(0.0, found.peak_dbfs - PEAK_DBFS)
        if abs(missing_db) <= TOLERANCE_LU and over_db <= TOLERANCE_LU:
            break
        level = Level(min(level.gain_db + missing_db, MOST_GAIN_DB), level.limit_dbfs - over_db)
    return level


def amplify(samples: Samples, level: Level) -> Samples:
    """Amplify a take, and lower it around each peak above the limit."""
    if level == UNCHANGED:
        return samples
    louder = samples * np.float32(10 ** (level.gain_db / 20))
    limit = 10 ** (level.limit_dbfs / 20)
    peaks = _true_peaks(louder)
    if not len(peaks) or peaks.max() <= limit:
        return louder
    needed = np.minimum(1.0, limit / np.maximum(peaks, 1e-9))
    # the mean of minima over the same window is at most the need of each sample in it
    lowest = _windows(needed).min(axis=1)
    window = np.hanning(2 * REACH + 3)[1:-1]
    gain = _windows(lowest) @ (window / window.sum())
    limited: Samples = (louder * gain).astype(np.float32)
    return limited


def _windows(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values within ``REACH`` of each value."""
    return np.lib.stride_tricks.sliding_window_view(np.pad(values, REACH, mode="edge"), 2 * REACH + 1)


def _true_peaks(samples: Samples) -> NDArray[np.float64]:
    """Return for each sample the highest level between it and its neighbours."""
    if not len(samples):
        return np.zeros(0)
    finer = np.abs(resample(samples, CLIP_RATE_HZ, OVERSAMPLING * CLIP_RATE_HZ)).reshape(len(samples), OVERSAMPLING)
    highest = np.asarray(finer.max(axis=1), dtype=np.float64)
    highest[1:] = np.maximum(highest[1:], finer[:-1].max(axis=1))
    return highest


def _last_metadata(graph: av.filter.Graph) -> dict[str, str]:
    """Take the frames that are ready out of a graph; return what stands on the last one."""
    found: dict[str, str] = {}
    while True:
        try:
            found = dict(graph.pull().metadata)
        except (av.BlockingIOError, av.EOFError):
            return found
