"""``report.html`` of a search: summary, trials and plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from jobs.reports import embed_picture
from jobs.reports import write_page as render_page
from jobs.tune_hparams.objective import FORMULA, SAME_SCORE
from jobs.tune_hparams.params import Params
from jobs.tune_hparams.plots import TITLES
from jobs.tune_hparams.study import Study, read_values
from jobs.tune_hparams.summary import format_value

PAGE = "report.html"


def write_page(path: Path, params: Params, study: Study, lines: Sequence[str], pictures: Sequence[str]) -> None:
    """Write the page; links lead to the interactive plots beside it.

    Args:
        path: of the page.
        params: of the search.
        study: its trials.
        lines: the summary.
        pictures: names from ``plots.draw``, in the page's folder.
    """
    has_score = params.objective != "loss"
    trials = sorted(study.finished, key=lambda trial: _rank(params, trial))
    names = sorted({name for trial in trials for name in trial.params})
    best = study.best
    render_page(
        path,
        "search",
        lines=lines,
        formula=f"{FORMULA}, 0 to 1; a difference of {SAME_SCORE:g} or less does not count." if has_score else "",
        columns=["trial", "loss", *(["score"] if has_score else []), "end", *names, "source, detail"],
        trials=[_cells(trial, names, has_score) for trial in trials],
        numeric=range(3 if has_score else 2),
        best=next((row for row, trial in enumerate(trials) if best and trial.number == best.number), None),
        pictures=[
            {"title": TITLES[name], "page": f"{name}.html", "source": embed_picture(path.with_name(f"{name}.png"))}
            for name in pictures
        ],
    )


def _rank(params: Params, trial: FrozenTrial) -> tuple[bool, float, int]:
    values = read_values(trial)
    value = values.loss if params.objective == "loss" or values.score is None else -values.score
    return trial.state != TrialState.COMPLETE, value or 0, trial.number


def _cells(trial: FrozenTrial, names: Sequence[str], has_score: bool) -> list[str]:
    values = read_values(trial)
    is_complete = trial.state == TrialState.COMPLETE
    score = ["" if values.score is None else f"{values.score:.3f}"] if has_score else []
    return [
        str(trial.number),
        f"{values.loss:.4f}" if is_complete and values.loss is not None else "",
        *score,
        str(trial.user_attrs.get("end", "")).replace("_", " "),
        *(format_value(trial.params.get(name, "")) for name in names),
        "; ".join(filter(None, [str(trial.user_attrs.get("source", "")), str(trial.user_attrs.get("detail", ""))])),
    ]
