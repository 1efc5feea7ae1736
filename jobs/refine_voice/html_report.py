"""``report.html`` of a loop: the rounds on one page, to read and listen to, without script or network."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from jobs.files import write_text
from jobs.refine_voice.params import Result, Round
from jobs.refine_voice.plots import LOSSES, RATED
from jobs.refine_voice.summary import ANCHORS

PAGE = "report.html"
_COLUMNS = ("round", "rating", "95 %", "stops", "words", "voice", "lr", "steps", "frozen", "validation loss", "then")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } img { max-width: 100% }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top }
tr.best { font-weight: 600 } audio { height: 2.2rem; width: 18rem }
td { white-space: nowrap } td:last-child, .note { white-space: normal } .phrase { white-space: normal }
.note { color: #666 } .verdict { font-size: 1.15rem }
.wide { overflow-x: auto }
"""


def write_page(path: Path, result: Result, anchors: Mapping[str, Any]) -> None:
    """Write the page; it plays ``evaluations/`` beside it."""
    heard = "".join(_round(path.parent, one, one.iteration == result.best_iteration) for one in result.rounds)
    rows = "".join(_row(one, one.iteration == result.best_iteration) for one in result.rounds)
    held = "".join(_anchor(name, anchors[key]) for key, name in ANCHORS.items() if key in anchors)
    against = f"<h2>Held against</h2><table>{held}</table>" if held else ""
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    lines = [line for line in result.summary[1:] if not line.startswith("Round ")]  # the table tells them
    told = "".join(f"<p>{escape(line)}</p>" for line in lines)
    write_text(
        path,
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Refining a voice</title>'
        f"<style>{_STYLE}</style></head><body><h1>Refining a voice</h1>"
        f'<p class="verdict">{escape(result.summary[0])}</p>{told}'
        f"{_picture(path.with_name(RATED), 'ratings of the rounds')}"
        f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>{against}'
        f"<h2>Losses</h2>{_picture(path.with_name(LOSSES), 'losses over the rounds')}"
        f'<p class="note">Loss is not quality: the round of the lowest loss need not sound best.</p>'
        f"<h2>Listen</h2>{heard}</body></html>\n",
    )


def _row(one: Round, is_best: bool) -> str:
    def number(value: float | None, digits: int) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    cells = [
        str(one.iteration) if one.iteration else "untrained",
        number(one.uncapped, 2),
        f"{one.low:.2f} – {one.high:.2f}",
        f"{one.stop_rate:.0%}",
        number(one.intelligibility, 2),
        number(one.similarity, 2),
        "" if one.lr is None else f"{one.lr:.2g}",
        "" if one.steps is None else str(one.steps),
        (one.freeze or "").replace("_", " "),
        number(one.validation_loss, 4),
        one.decision,
    ]
    told = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr class="{"best" if is_best else ""}">{told}</tr>'


def _anchor(name: str, anchor: Mapping[str, Any]) -> str:
    interval = f"{anchor['low']:.2f} – {anchor['high']:.2f}"
    note = f"{anchor['n']} clips; {anchor['note']}"
    return (
        f"<tr><td>{escape(name)}</td><td>{anchor['mean']:.2f}</td><td>{interval}</td>"
        f'<td class="note">{escape(note)}</td></tr>'
    )


def _round(folder: Path, one: Round, is_best: bool) -> str:
    where = f"evaluations/iteration_{one.iteration}"
    read = json.loads((folder / where / "evaluation.json").read_text(encoding="utf-8"))
    rows = "".join(
        f"<tr><td>{sample['rating']:.1f}</td><td class='phrase'>“{escape(sample['phrase'])}”<br>"
        f'<span class="note">{escape("; ".join(sample["reasons"]))}</span></td>'
        f'<td><audio controls preload="none" src="{where}/{escape(sample["audio"], quote=True)}"></audio></td></tr>'
        for sample in read["samples"]
    )
    title = f"Round {one.iteration}" if one.iteration else "Before training: the base's clone"
    return f"<h3>{title}{', the best' if is_best else ''}</h3><table>{rows}</table>"


def _picture(path: Path, words: str) -> str:
    return f'<img alt="{words}" src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}">'
