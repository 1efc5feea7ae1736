"""``report.html`` of a search: the trials and their plots on one page without script."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from jobs.files import write_text
from jobs.tune_hparams.objective import FORMULA, SAME_SCORE
from jobs.tune_hparams.params import Params
from jobs.tune_hparams.plots import TITLES
from jobs.tune_hparams.study import Study, worth_of
from jobs.tune_hparams.summary import format_value

PAGE = "report.html"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } img { max-width: 100% }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top } tr.best { font-weight: 600 }
.note { color: #666 } .wide { overflow-x: auto } td:last-child { min-width: 13rem }
"""


def write_page(path: Path, params: Params, study: Study, lines: Sequence[str], pictures: Sequence[str]) -> None:
    """One page without script; links lead to the interactive pictures beside it.

    Args:
        path: of the page.
        params: of the search.
        study: its trials.
        lines: the summary.
        pictures: names from ``plots.draw``, in the page's folder.
    """
    best = study.best
    names = sorted({name for trial in study.counted for name in trial.params})
    columns = ["trial", "loss", *([] if params.objective == "loss" else ["score"]), "end", *names, ""]
    head = "".join(f"<th>{escape(name).replace('_', '_<wbr>')}</th>" for name in columns)
    rows = "".join(
        f'<tr class="{"best" if best and trial.number == best.number else ""}">'
        + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(params, trial, names))
        + "</tr>"
        for trial in sorted(study.counted, key=lambda trial: _place(params, trial))
    )
    drawn = "".join(_picture(path.parent, name) for name in pictures)
    told = "".join(f"<p>{escape(line)}</p>" for line in lines)
    formula = (
        "" if params.objective == "loss" else f'<p class="note">{FORMULA}, 0 to 1; {SAME_SCORE:g} is no difference.</p>'
    )
    write_text(
        path,
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Search</title>'
        f"<style>{_STYLE}</style></head><body><h1>Search of settings</h1>{told}{formula}"
        f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>{drawn}</body></html>\n',
    )


def _picture(folder: Path, name: str) -> str:
    data = base64.b64encode((folder / f"{name}.png").read_bytes()).decode()
    return (
        f'<h2>{TITLES[name]}</h2><p class="note"><a href="{name}.html">interactive</a></p>'
        f'<img alt="{TITLES[name]}" src="data:image/png;base64,{data}">'
    )


def _place(params: Params, trial: FrozenTrial) -> tuple[bool, float, int]:
    worth = worth_of(trial)
    value = worth.loss if params.objective == "loss" or worth.score is None else -worth.score
    return trial.state != TrialState.COMPLETE, value or 0, trial.number


def _cells(params: Params, trial: FrozenTrial, names: list[str]) -> list[str]:
    worth = worth_of(trial)
    is_complete = trial.state == TrialState.COMPLETE
    score = [] if params.objective == "loss" else ["" if worth.score is None else f"{worth.score:.3f}"]
    return [
        str(trial.number),
        f"{worth.loss:.4f}" if is_complete and worth.loss is not None else "",
        *score,
        str(trial.user_attrs.get("end", "")).replace("_", " "),
        *(format_value(trial.params.get(name, "")) for name in names),
        "; ".join(filter(None, [str(trial.user_attrs.get("source", "")), str(trial.user_attrs.get("detail", ""))])),
    ]
