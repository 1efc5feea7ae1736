"""Plots of a search, each as a PNG and as an interactive page that works offline."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import optuna
from optuna.importance import BaseImportanceEvaluator, FanovaImportanceEvaluator, PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState
from plotly.offline import get_plotlyjs

from jobs.files.atomic_io import open_binary, write_text
from jobs.tune_hparams.objective import LOSS, METRICS, SCORE
from jobs.tune_hparams.study import Study

HISTORY, IMPORTANCE, PARALLEL, SLICES, FRONT = (
    "history", "importance", "parallel_coordinates", "slices", "pareto_front",
)  # fmt: skip
TITLES = {
    HISTORY: "Trials in order, and the best so far",
    FRONT: "Pareto front of loss and audio score",
    SLICES: "Value over each setting",
    IMPORTANCE: "Importance of each setting (uncertain with few trials)",
    PARALLEL: "Parallel coordinates of the settings",
}
MIN_TRIALS_FOR_IMPORTANCE = 4
MIN_TRIALS_FOR_FANOVA = 10  # with fewer, a forest fits noise; PED-ANOVA only uses the distribution of good trials
LABELS = {LOSS: "validation loss", SCORE: "audio score"}


def draw_plots(study: Study, folder: Path) -> list[str]:
    """Draw the plots for which there are enough trials; return their names.

    Each has a ``.png`` and a ``.html`` in the folder; the pages share a ``plotly.min.js``.
    """
    matplotlib.use("Agg")
    logging.getLogger("matplotlib.category").setLevel(logging.WARNING)  # warns about choices that look like numbers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # optuna calls its plots experimental
        write_text(folder / "plotly.min.js", get_plotlyjs())
        return [name for name in _plot_names(study) if _draw_plot(study, name, folder)]


def compute_importances(study: Study) -> dict[str, float]:
    """Compute each setting's share of the variance, 0 to 1, largest first; empty with too few or equal trials."""
    if _n_complete(study) < MIN_TRIALS_FOR_IMPORTANCE:
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


def _plot_names(study: Study) -> list[str]:
    names = [HISTORY, SLICES]
    if len(METRICS[study.objective]) > 1:
        names.insert(1, FRONT)
    return names + ([IMPORTANCE, PARALLEL] if _n_complete(study) >= MIN_TRIALS_FOR_IMPORTANCE else [])


def _draw_plot(study: Study, name: str, folder: Path) -> bool:
    try:
        axes = _plot(study, name, optuna.visualization.matplotlib)
        _write_png(axes, folder / f"{name}.png")
        figure = _plot(study, name, optuna.visualization)
    except (ValueError, RuntimeError, AssertionError):  # all trials are equal
        return False
    write_text(folder / f"{name}.html", figure.to_html(include_plotlyjs="directory"))  # no CDN
    return True


def _plot(study: Study, name: str, plots: Any) -> Any:
    metric = METRICS[study.objective][-1]
    common = {"target": _target(study), "target_name": LABELS[metric]}
    draws: dict[str, Callable[[], Any]] = {
        HISTORY: lambda: plots.plot_optimization_history(study.study, **common),
        SLICES: lambda: plots.plot_slice(study.study, **common),
        IMPORTANCE: lambda: plots.plot_param_importances(study.study, evaluator=_evaluator(study), **common),
        PARALLEL: lambda: plots.plot_parallel_coordinate(study.study, **_darker_is_better(study, common)),
        FRONT: lambda: plots.plot_pareto_front(study.study, target_names=[LABELS[m] for m in METRICS["both"]]),
    }
    return draws[name]()


def _write_png(axes: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure = pyplot.gcf() if not hasattr(axes, "figure") else axes.figure
    figure.set_size_inches(10, 4.5)
    with open_binary(path) as stream:
        figure.savefig(stream, format="png", dpi=100, bbox_inches="tight")
    pyplot.close("all")


def _target(study: Study) -> Callable[[FrozenTrial], float] | None:
    """Return the score of two objectives, since the front shows both; None for one objective."""
    return None if study.objective != "both" else lambda trial: float(trial.values[1])


def _darker_is_better(study: Study, common: dict[str, Any]) -> dict[str, Any]:
    """Negate the score: for a given target, Optuna draws smaller values darker."""
    if study.objective != "both":
        return common
    return {"target": lambda trial: 1 - float(trial.values[1]), "target_name": f"1 - {LABELS[SCORE]}"}


def _evaluator(study: Study) -> BaseImportanceEvaluator:
    if _n_complete(study) >= MIN_TRIALS_FOR_FANOVA:
        return FanovaImportanceEvaluator(seed=0)
    return PedAnovaImportanceEvaluator(target_quantile=0.3)  # the default, a tenth, is no trial of fewer than ten


def _n_complete(study: Study) -> int:
    return sum(trial.state == TrialState.COMPLETE for trial in study.trials)
