"""Reports of a refinement: a summary of at most ten lines, plots, and ``report.html`` with takes to listen to."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
