"""``report.html`` of a refinement: the rounds, their ratings and losses, and their takes to listen to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.refine_voice.params import Result, Round
from jobs.refine_voice.plots import LOSSES, RATED
from jobs.refine_voice.summary import ANCHORS
from jobs.reports import embed_picture
from jobs.reports import write_page as render_page

PAGE = "report.html"
_COLUMNS = (
    "round", "rating", "95 % interval", "takes that stop", "intelligibility", "voice", "lr", "steps", "frozen",
    "validation loss",
)  # fmt: skip


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
