"""Loudness of a chapter by EBU R 128, and a limiter of true peaks."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, minimum_filter1d
from scipy.signal import resample_poly

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples

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


def find_gain(sound: Callable[[Callable[[Samples], Samples]], Iterator[Samples]], target_lufs: float) -> float:
    """Return the gain in dB at which limited sound has a loudness; of silence, 0.

    Args:
        sound: yields the blocks of a chapter, its takes changed by a function.
        target_lufs: wanted.
    """
    lufs = measure_loudness(sound(lambda samples: samples)).lufs
    if lufs < _NOTHING_DBFS:
        return 0.0
    gain_db = min(target_lufs - lufs, MOST_GAIN_DB)
    for _ in range(N_ROUNDS):
        reached = gain_db
        lufs = measure_loudness(sound(lambda samples, gain_db=reached: amplify(samples, gain_db))).lufs
        if abs(target_lufs - lufs) <= TOLERANCE_LU or gain_db == MOST_GAIN_DB:
            break
        gain_db = min(gain_db + target_lufs - lufs, MOST_GAIN_DB)
    return round(gain_db, 3)


def amplify(samples: Samples, gain_db: float) -> Samples:
    """Amplify a take, and lower it around each true peak above the limit."""
    louder = samples * np.float32(10 ** (gain_db / 20))
    limit = 10 ** (PEAK_DBFS / 20)
    peaks = _true_peaks(louder)
    if not len(peaks) or peaks.max() <= limit:
        return louder
    needed = np.minimum(1.0, limit / np.maximum(peaks, 1e-9))
    # the mean of minima over the same window is at most the need of each sample in it
    lowest = minimum_filter1d(needed, 2 * REACH + 1, mode="nearest")
    window = np.hanning(2 * REACH + 3)[1:-1]
    gain = convolve1d(lowest, window / window.sum(), mode="nearest")
    return (louder * gain).astype(np.float32)


def _true_peaks(samples: Samples) -> NDArray[np.float64]:
    """Return for each sample the highest level between it and its neighbours."""
    if not len(samples):
        return np.zeros(0)
    finer = np.abs(resample_poly(samples.astype(np.float64), OVERSAMPLING, 1)).reshape(len(samples), OVERSAMPLING)
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
