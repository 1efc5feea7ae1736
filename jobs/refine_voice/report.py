"""Reports of a refinement: a summary of at most ten lines, plots, and ``report.html`` with takes to listen to."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from jobs.plotting.figures import save_png
from jobs.refine_voice.params import AUTOMATIC_CAP, Result, Round
from jobs.reports import embed_picture
from jobs.reports import write_page as render_page

ANCHORS = {
    "narrator": "narrator's held-out clips (upper bound)",
    "zero_shot": "the base's clone without training",
    "other_speaker": "another speaker (lower bound)",
}
CAVEAT = (
    f"Automatic ratings are capped at {AUTOMATIC_CAP}: they do not detect wrong stress, phrasing, emotion or a "
    "mispronounced name. Let a person listen before you decide."
)
MAX_DECISIONS = 5
LOSSES, RATED = "losses.png", "rounds.png"
_LOSS, _VALIDATION, _BEFORE, _ROUND = "#9ecae1", "#08519c", "#999999", "#e6550d"
_ANCHOR_COLOURS = {"narrator": "#2ca02c", "zero_shot": "#9467bd", "other_speaker": "#7f7f7f"}
PAGE = "report.html"
_COLUMNS = (
    "round", "rating", "95 % interval", "takes that stop", "intelligibility", "voice", "lr", "steps", "frozen",
    "validation loss",
)  # fmt: skip


def summary_lines(
    verdict: str, best: Round, rounds: Sequence[Round], anchors: Mapping[str, Any], *, rated_by: str
) -> list[str]:
    """Write at most ten lines."""
    count = "1 round" if len(rounds) == 1 else f"{len(rounds)} rounds"
    interval = f"{best.low:.2f} to {best.high:.2f} with 95 % certainty"
    lines = [
        f"{verdict[0].upper()}{verdict[1:]}",
        f"{count}; the best is round {best.iteration}: {best.uncapped:.2f} uncapped ({interval}), "
        f"{best.n_takes} takes, {best.stop_rate:.0%} end by themselves.",
    ]
    if anchors:
        values = "; ".join(f"{name} {anchors[key]['mean']:.2f}" for key, name in ANCHORS.items() if key in anchors)
        lines.append(f"For comparison: {values}.")
    shown = rounds[-MAX_DECISIONS:]
    lines += [f"Round {one.iteration}: {one.decision}." for one in shown]
    lines.append("final_model is the best round's voice, not the last one's.")
    return [*lines, CAVEAT] if rated_by == "automatic" else lines


def draw_losses(path: Path, curves: Sequence[Mapping[str, Sequence[tuple[float, float]]]]) -> None:
    """Draw training and validation loss of the rounds one after the other; each begins where the last one ended."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
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
    figure = Figure(figsize=(9, 3.8), layout="constrained")
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


def write_page(path: Path, result: Result, anchors: Mapping[str, Any]) -> None:
    """Write the page; it plays ``evaluations/`` beside it."""
    render_page(
        path,
        "refinement",
        # the decisions of all rounds are listed below
        lines=[result.summary[0], *(line for line in result.summary[1:] if not line.startswith("Round "))],
        ratings_plot=embed_picture(path.with_name(RATED)),
        losses_plot=embed_picture(path.with_name(LOSSES)),
        columns=_COLUMNS,
        rounds=[_cells(one) for one in result.rounds],
        decisions=[(_name(one), one.decision) for one in result.rounds],
        best=next((row for row, one in enumerate(result.rounds) if one.iteration == result.best_iteration), None),
        anchors=[_anchor_cells(name, anchors[key]) for key, name in ANCHORS.items() if key in anchors],
        samples=[_samples(path.parent, one, one.iteration == result.best_iteration) for one in result.rounds],
    )


def _cells(one: Round) -> list[str]:
    def number(value: float | None, form: str) -> str:
        return "" if value is None else f"{value:{form}}"

    return [
        str(one.iteration) if one.iteration else "untrained",
        number(one.uncapped, ".2f"),
        f"{one.low:.2f} to {one.high:.2f}",
        f"{one.stop_rate:.0%}",
        number(one.intelligibility, ".2f"),
        number(one.similarity, ".2f"),
        number(one.lr, ".2g"),
        number(one.steps, "d"),
        (one.freeze or "").replace("_", " "),
        number(one.validation_loss, ".4f"),
    ]


def _name(one: Round) -> str:
    return f"Round {one.iteration}" if one.iteration else "Before training: the base model's clone"


def _anchor_cells(name: str, anchor: Mapping[str, Any]) -> list[Any]:
    interval = f"{anchor['low']:.2f} to {anchor['high']:.2f}"
    return [name, anchor["mean"], interval, anchor["n"], anchor["note"]]


def _samples(folder: Path, one: Round, is_best: bool) -> dict[str, Any]:
    where = f"evaluations/iteration_{one.iteration}"
    read = json.loads((folder / where / "evaluation.json").read_text(encoding="utf-8"))
    return {
        "title": f"{_name(one)} (best)" if is_best else _name(one),
        "samples": [{**sample, "audio": f"{where}/{sample['audio']}"} for sample in read["samples"]],
    }
