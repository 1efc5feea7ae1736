"""What a search has found, to use, to look at and to read: best_config.json, PNGs, report.html, ten lines."""

from __future__ import annotations

import base64
import logging
import statistics
import warnings
from html import escape
from pathlib import Path
from typing import Any

import matplotlib
import optuna
from optuna.trial import FrozenTrial, TrialState

from jobs.fields import Value
from jobs.files import write_json, write_text
from jobs.tune_hparams.spec import Params
from jobs.tune_hparams.study import Study, ends_of, values_of

BEST_CONFIG, PAGE = "best_config.json", "report.html"
HISTORY, IMPORTANCE, PARALLEL, SLICES = "history.png", "importance.png", "parallel_coordinates.png", "slices.png"
PICTURES = {
    HISTORY: "Trials in their order, and the best so far",
    SLICES: "Loss over each setting",
    IMPORTANCE: "How much each setting matters, by functional ANOVA; of few trials, so read it with care",
    PARALLEL: "Settings that go together",
}
LEAST_FOR_IMPORTANCE = 4
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } img { max-width: 100% }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top } tr.best { font-weight: 600 }
.note { color: #666 }
"""


def settings_of(params: Params, trial: FrozenTrial) -> dict[str, Value]:
    """A trial's arguments of start_training: what was searched, and what all trials shared."""
    return {**params.training, **trial.params}


def write_best_config(path: Path, params: Params, study: Study) -> None:
    """Write the best settings where start_training takes them from, whole or not at all."""
    best = study.best
    assert best is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(
        path,
        {
            "hyperparameters": settings_of(params, best),
            "validation_loss": best.value,
            "trial": best.number,
            "n_trials": len(study.counted),
            "trial_steps": params.trial_steps,
            "base_model": params.base_model,
            "manifest": params.manifest,
        },
    )


def draw(study: Study, folder: Path) -> list[Path]:
    """Draw what the trials so far allow.

    Returns:
        The PNGs written.
    """
    matplotlib.use("Agg")
    logging.getLogger("matplotlib.category").setLevel(logging.WARNING)  # choices that look like numbers
    n_complete = sum(trial.state == TrialState.COMPLETE for trial in study.trials)
    plots = optuna.visualization.matplotlib
    wanted = {HISTORY: plots.plot_optimization_history, SLICES: plots.plot_slice}
    if n_complete >= LEAST_FOR_IMPORTANCE:
        wanted |= {IMPORTANCE: plots.plot_param_importances, PARALLEL: plots.plot_parallel_coordinate}
    return [path for name, plot in wanted.items() if (path := _drawn(plot, study, folder / name)) is not None]


def _drawn(plot: Any, study: Study, path: Path) -> Path | None:
    from matplotlib import pyplot

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # optuna calls its drawings experimental
        try:
            axes = plot(study.study)
        except (ValueError, RuntimeError):  # all trials alike: nothing to compare
            return None
    figure = pyplot.gcf() if not hasattr(axes, "figure") else axes.figure
    temporary = path.with_name(f".{path.name}.partial")
    figure.set_size_inches(10, 4.5)
    figure.savefig(str(temporary), format="png", dpi=100, bbox_inches="tight")
    pyplot.close("all")
    temporary.rename(path)
    return path


def summary_of(params: Params, study: Study) -> list[str]:
    """At most ten lines for an agent."""
    best = study.best
    assert best is not None
    values = dict(values_of(study.trials))
    ends = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in ends_of(study.counted).items())
    lines = [
        f"{len(study.counted)} trials of {params.trial_steps} steps: {ends}.",
        f"Best: trial {best.number}, validation loss {best.value:.4f}: {_settings(best)}.",
    ]
    if len(values) > 1:
        lines.append(
            f"Median of {len(values)} complete trials {statistics.median(values.values()):.4f}, "
            f"worst {max(values.values()):.4f}."
        )
    first = first_of(params, study)
    if first is not None and first.value is not None and first.number != best.number:
        lines.append(f"The recommended point, tried first: {first.value:.4f}.")
    for name in at_the_edge(params, best):
        lines.append(f"{name}={best.params[name]:.3g} is at the end of its range: a wider one may hold a better value.")
    lines.append(
        "Loss is not quality: train with these settings, let the voice speak, and rate_samples. A longer run may want "
        "a lower lr than these short ones."
    )
    return lines[:10]


def first_of(params: Params, study: Study) -> FrozenTrial | None:
    """The trial of the first point that was to be tried before any other."""
    if not params.first:
        return None
    point = params.first[0]
    return next((t for t in study.counted if all(t.params.get(name) == value for name, value in point.items())), None)


def at_the_edge(params: Params, best: FrozenTrial) -> list[str]:
    """Learning rates and the like within a twentieth of the end of their range."""
    names = []
    for found in params.ranges:
        if found.choices or found.low is None or found.high is None or not found.log:
            continue
        value = float(best.params[found.name])
        reach = (found.high / found.low) ** 0.05
        if value < found.low * reach or value > found.high / reach:
            names.append(found.name)
    return names


def write_page(path: Path, study: Study, lines: list[str], pictures: list[Path]) -> None:
    """One page, no script, nothing from the network."""
    best = study.best
    names = sorted({name for trial in study.counted for name in trial.params})
    head = "".join(f"<th>{escape(name)}</th>" for name in ["trial", "loss", "end", *names, ""])
    order = sorted(study.counted, key=lambda trial: (trial.value is None, trial.value or 0, trial.number))
    rows = "".join(
        f'<tr class="{"best" if best and trial.number == best.number else ""}">'
        + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(trial, names))
        + "</tr>"
        for trial in order
    )
    drawn = "".join(
        f'<h2>{PICTURES[picture.name]}</h2><img alt="{PICTURES[picture.name]}" '
        f'src="data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}">'
        for picture in pictures
    )
    told = "".join(f"<p>{escape(line)}</p>" for line in lines)
    write_text(
        path,
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Search</title>'
        f"<style>{_STYLE}</style></head><body><h1>Search of settings</h1>{told}"
        f"<table><tr>{head}</tr>{rows}</table>{drawn}</body></html>\n",
    )


def _cells(trial: FrozenTrial, names: list[str]) -> list[str]:
    value = f"{trial.value:.4f}" if trial.state == TrialState.COMPLETE and trial.value is not None else ""
    return [
        str(trial.number),
        value,
        str(trial.user_attrs.get("end", "")).replace("_", " "),
        *(_plain(trial.params.get(name, "")) for name in names),
        str(trial.user_attrs.get("detail", "")),
    ]


def _settings(trial: FrozenTrial) -> str:
    return ", ".join(f"{name}={_plain(value)}" for name, value in trial.params.items())


def _plain(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
