"""Curves of a job's metrics: ``python -m jobs.plotting.curves OUT.png``, the request as JSON on stdin.

See ``jobs.plotting.render_client`` for the request.
One panel a metric, the losses first; noisy metrics are also smoothed.
"""

import json
import math
import sys
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ticker import MaxNLocator

from jobs.plotting.figure_files import new_figure

Floats = npt.NDArray[np.float64]

MOST_PANELS = 12
PANEL_INCHES = (5.4, 3.1)
DPI = 110
LOSSES = ("loss", "nll", "perplexity", "wer", "cer", "error")
NOISY = (*LOSSES, "norm", "_per_s")
LEAST_TO_SMOOTH = 12
SMOOTH_SHARE = 25  # a mean over about this part of the curve
DECADES_FOR_LOG = 2.0
RAW, SMOOTH, CONTINUED = "#9ecae1", "#08519c", "#e6550d"


def draw(request: dict[str, Any], out: BinaryIO) -> None:
    """Draw a request as a PNG that carries the request's key as its description."""
    names = sorted(request["curves"], key=lambda name: (not _is(name, LOSSES), name != "loss"))
    shown = names[:MOST_PANELS]
    n_columns = min(len(shown), 2 if len(shown) <= 4 else 3)
    n_rows = -(-len(shown) // n_columns)
    size = (max(6.4, PANEL_INCHES[0] * n_columns), PANEL_INCHES[1] * n_rows + 0.6)
    figure = new_figure(*size)
    FigureCanvasAgg(figure)
    figure.suptitle(_title(request, names[MOST_PANELS:]), fontsize=11)
    panels = figure.subplots(n_rows, n_columns, squeeze=False).flatten()
    for axes, name in zip(panels, shown, strict=False):
        curve = np.asarray(request["curves"][name], dtype=np.float64)  # (points, 2): place, value
        _panel(axes, name, curve, request)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    figure.savefig(
        out, format="png", dpi=DPI, metadata={"Description": request["key"], "Software": request["software"]}
    )


def smoothed(values: Floats) -> Floats:
    """Mean over a window in the middle of which each value is; towards the ends the window is what there is."""
    window = 2 * (len(values) // SMOOTH_SHARE // 2 + 1) + 1
    kernel = np.ones(window)
    total: Floats = np.convolve(values, kernel, "full")
    count: Floats = np.convolve(np.ones_like(values), kernel, "full")
    half = window // 2
    return total[half : half + len(values)] / count[half : half + len(values)]


def _panel(axes: Axes, name: str, curve: Floats, request: dict[str, Any]) -> None:
    places, values = curve[:, 0], curve[:, 1]
    is_smoothed = _is(name, NOISY) and len(values) >= LEAST_TO_SMOOTH
    few = "o" if len(values) < LEAST_TO_SMOOTH else ""
    if is_smoothed:
        axes.plot(places, values, color=RAW, linewidth=0.8)
        axes.plot(places, smoothed(values), color=SMOOTH, linewidth=1.6)
    else:
        axes.plot(places, values, color=SMOOTH, linewidth=1.4, marker=few, markersize=4)
    for at in request["continued_at"]:
        axes.axvline(at, color=CONTINUED, linewidth=0.9, linestyle=(0, (4, 3)))
    if values.min() > 0 and math.log10(values.max() / values.min()) > DECADES_FOR_LOG:
        axes.set_yscale("log")
    else:
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 4), useMathText=True)
    axes.set_title(name, loc="left", fontsize=10, fontweight="bold")
    newest = smoothed(values)[-1] if is_smoothed else values[-1]
    axes.set_title(f"{newest:.4g}", loc="right", fontsize=10, color=SMOOTH)
    axes.set_xlabel(request["along"], fontsize=9)
    if request["along"].startswith("step"):
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.margins(x=0.02)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _is(name: str, parts: tuple[str, ...]) -> bool:
    return any(part in name for part in parts)


def _title(request: dict[str, Any], left_out: list[str]) -> str:
    parts = [request["title"], request["state"], request["detail"]]
    if request["continued_at"]:
        parts.append("dashed: continued after a stop")
    if left_out:
        parts.append(f"not drawn: {', '.join(left_out)}")
    return "   ".join(part for part in parts if part)


if __name__ == "__main__":
    draw(json.load(sys.stdin), sys.stdout.buffer)
