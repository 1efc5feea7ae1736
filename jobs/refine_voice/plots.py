"""Pictures of a refinement: losses over all rounds, and ratings beside their anchors."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.plotting.figure_files import new_figure, save_png
from jobs.refine_voice.html_report import ANCHORS
from jobs.refine_voice.params import AUTOMATIC_CAP, Round

_LOSS, _VALIDATION, _BEFORE, _ROUND = "#9ecae1", "#08519c", "#999999", "#e6550d"
_ANCHOR_COLOURS = {"narrator": "#2ca02c", "zero_shot": "#9467bd", "other_speaker": "#7f7f7f"}


def draw_losses(path: Path, curves: Sequence[Mapping[str, Sequence[tuple[float, float]]]]) -> None:
    """Draw training and validation loss of the rounds one after the other; each begins where the last one ended."""
    figure = new_figure(9, 3.6)
    axes = figure.add_subplot()
    start = 0.0
    for number, curve in enumerate(curves, 1):
        is_first = number == 1
        for name, colour, marker in (("loss", _LOSS, None), ("validation_loss", _VALIDATION, "o")):
            points = curve.get(name, [])
            axes.plot(
                [start + step for step, _ in points], [value for _, value in points], color=colour, marker=marker,
                markersize=4, label=name.replace("_", " ") if is_first else None,
            )  # fmt: skip
        end = max((step for points in curve.values() for step, _ in points), default=0.0)
        axes.axvline(start, color=_BEFORE, linewidth=0.6, linestyle=":")
        axes.annotate(f"round {number}", (start, 1.0), xycoords=("data", "axes fraction"), xytext=(3, -10),
                      textcoords="offset points", fontsize=8, color="#444444")  # fmt: skip
        start += end
    axes.set_xlabel("optimiser steps, all rounds")
    axes.set_ylabel("loss, nats")
    axes.legend(fontsize=8, frameon=False, loc="center right")
    save_png(figure, path, dpi=110)


def draw_ratings(path: Path, rounds: Sequence[Round], anchors: Mapping[str, Any], threshold: float) -> None:
    """Draw each round's mean with its 95 % interval over bands of the anchors."""
    figure = new_figure(9, 3.8)
    axes = figure.add_subplot()
    for name, label in ANCHORS.items():
        anchor = anchors.get(name)
        if anchor is not None:
            axes.axhspan(anchor["low"], anchor["high"], color=_ANCHOR_COLOURS[name], alpha=0.15, linewidth=0)
            axes.axhline(
                anchor["mean"], color=_ANCHOR_COLOURS[name], linewidth=1.2, label=f"{label}: {anchor['mean']:.2f}"
            )
    trained = [one for one in rounds if one.iteration > 0]
    places = [one.iteration for one in trained]
    axes.errorbar(
        places, [one.uncapped for one in trained],
        yerr=[[one.uncapped - one.low for one in trained], [one.high - one.uncapped for one in trained]],
        fmt="o-", color=_ROUND, capsize=4, label="the voice, with 95 % interval", zorder=3,
    )  # fmt: skip
    axes.axhline(threshold, color="#444444", linewidth=0.8, linestyle="--", label=f"threshold {threshold:g}")
    axes.set_xticks(places)
    axes.set_xlim(0.5, max(places) + 0.5)
    axes.set_ylim(0.9, 5.1)
    axes.set_xlabel("round")
    axes.set_ylabel("rating, 1 to 5, uncapped")
    axes.set_title(f"shown automatic ratings are capped at {AUTOMATIC_CAP}", fontsize=8, color="#666666", loc="right")
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    save_png(figure, path, dpi=110)
