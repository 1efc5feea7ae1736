"""A search in pictures: each as a PNG, to look at anywhere, and as an interactive page that needs no network."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import optuna
from optuna.importance import BaseImportanceEvaluator, FanovaImportanceEvaluator, PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState

from jobs.tune_hparams.objective import LOSS, METRICS, SCORE
from jobs.tune_hparams.study import Study

HISTORY, IMPORTANCE, PARALLEL, SLICES, FRONT = (
    "history", "importance", "parallel_coordinates", "slices", "pareto_front",
)  # fmt: skip
TITLES = {
    HISTORY: "Trials in their order, and the best so far",
    FRONT: "Loss against audio score: no trial beats those on the front in both",
    SLICES: "Value over each setting",
    IMPORTANCE: "How much each setting matters; of few trials, so read it with care",
    PARALLEL: "Settings that go together",
}
LEAST_FOR_IMPORTANCE = 4
LEAST_FOR_FANOVA = 10  # a forest of fewer trials fits their noise; PED-ANOVA only asks how the better ones lie
WORDS = {LOSS: "validation loss", SCORE: "audio score"}


def draw(study: Study, folder: Path) -> list[str]:
    """Draw what the trials so far allow.

    Returns:
        Names of the pictures: each has a ``.png`` and a ``.html`` in the folder; the pages share a ``plotly.min.js``.
    """
    matplotlib.use("Agg")
    logging.getLogger("matplotlib.category").setLevel(logging.WARNING)  # choices that look like numbers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # optuna calls its drawings experimental
        return [name for name in _wanted(study) if _drawn(study, name, folder)]


def importances(study: Study) -> dict[str, float]:
    """Share of each setting in how the values differ, 0 to 1, largest first; empty of too few or equal trials."""
    if _n_complete(study) < LEAST_FOR_IMPORTANCE:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shares = optuna.importance.get_param_importances(
                study.study, evaluator=_evaluator(study), target=_target(study)
            )
            return {name: float(share) for name, share in shares.items()}
    except (ValueError, RuntimeError, AssertionError):
        return {}


def _wanted(study: Study) -> list[str]:
    names = [HISTORY, SLICES]
    if len(METRICS[study.objective]) > 1:
        names.insert(1, FRONT)
    return names + ([IMPORTANCE, PARALLEL] if _n_complete(study) >= LEAST_FOR_IMPORTANCE else [])


def _drawn(study: Study, name: str, folder: Path) -> bool:
    try:
        axes = _plot(study, name, optuna.visualization.matplotlib)
        _write_png(axes, folder / f"{name}.png")
        figure = _plot(study, name, optuna.visualization)
    except (ValueError, RuntimeError, AssertionError):  # all trials alike: nothing to compare
        return False
    temporary = folder / f".{name}.html.partial"
    figure.write_html(str(temporary), include_plotlyjs="directory")  # beside it, once for all pages: no CDN
    temporary.rename(folder / f"{name}.html")
    return True


def _plot(study: Study, name: str, plots: Any) -> Any:
    metric = METRICS[study.objective][-1]
    common = {"target": _target(study), "target_name": WORDS[metric]}
    draws: dict[str, Callable[[], Any]] = {
        HISTORY: lambda: plots.plot_optimization_history(study.study, **common),
        SLICES: lambda: plots.plot_slice(study.study, **common),
        IMPORTANCE: lambda: plots.plot_param_importances(study.study, evaluator=_evaluator(study), **common),
        PARALLEL: lambda: plots.plot_parallel_coordinate(study.study, **_darker_is_better(study, common)),
        FRONT: lambda: plots.plot_pareto_front(study.study, target_names=[WORDS[m] for m in METRICS["both"]]),
    }
    return draws[name]()


def _write_png(axes: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure = pyplot.gcf() if not hasattr(axes, "figure") else axes.figure
    temporary = path.with_name(f".{path.name}.partial")
    figure.set_size_inches(10, 4.5)
    figure.savefig(str(temporary), format="png", dpi=100, bbox_inches="tight")
    pyplot.close("all")
    temporary.rename(path)


def _target(study: Study) -> Callable[[FrozenTrial], float] | None:
    """Of two objectives the score is drawn: the front has both."""
    return None if study.objective != "both" else lambda trial: float(trial.values[1])


def _darker_is_better(study: Study, common: dict[str, Any]) -> dict[str, Any]:
    """Of a given target Optuna takes less for better, and draws it darker."""
    if study.objective != "both":
        return common
    return {"target": lambda trial: 1 - float(trial.values[1]), "target_name": f"1 - {WORDS[SCORE]}"}


def _evaluator(study: Study) -> BaseImportanceEvaluator:
    if _n_complete(study) >= LEAST_FOR_FANOVA:
        return FanovaImportanceEvaluator(seed=0)
    return PedAnovaImportanceEvaluator(target_quantile=0.3)  # of fewer than ten trials a tenth is none


def _n_complete(study: Study) -> int:
    return sum(trial.state == TrialState.COMPLETE for trial in study.trials)
