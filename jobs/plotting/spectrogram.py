"""Spectrograms of clips, takes and files: level in dB over time and frequency."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

FFT_SIZE = 1024
HOP_S = 0.01
TOP_HZ = 12_000  # half of the codec's sample rate
RANGE_DB = 80.0  # shown below the loudest cell
_FLOOR = 1e-9  # amplitude of silence


def compute_levels_db(samples: npt.NDArray[Any], rate_hz: int) -> npt.NDArray[np.float64]:
    """Return the level (513 bins from 0 to half of ``rate_hz``, frames) of Hann windows every 10 ms.

    ``samples`` are (samples,) mono; the first window is centred on the first sample.
    """
    padded = np.pad(np.asarray(samples, dtype=np.float64), FFT_SIZE // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, FFT_SIZE)[:: max(1, round(HOP_S * rate_hz))]
    return 20 * np.log10(np.abs(np.fft.rfft(windows * np.hanning(FFT_SIZE), axis=1)).T + _FLOOR)


def draw_spectrogram(axes: Axes, samples: npt.NDArray[Any], rate_hz: int) -> AxesImage:
    """Draw a spectrogram with seconds along and kHz up, to 12 kHz at most."""
    levels_db = compute_levels_db(samples, rate_hz)
    n_shown = min(len(levels_db), round(TOP_HZ * FFT_SIZE / rate_hz) + 1)
    loudest_db = float(levels_db.max())
    axes.set_ylabel("kHz", fontsize=8)
    axes.tick_params(labelsize=7)
    return axes.imshow(
        levels_db[:n_shown],
        origin="lower",
        aspect="auto",
        cmap="magma",
        extent=(0.0, max(len(samples), 1) / rate_hz, 0.0, (n_shown - 1) * rate_hz / FFT_SIZE / 1000),
        vmin=loudest_db - RANGE_DB,
        vmax=loudest_db,
    )
