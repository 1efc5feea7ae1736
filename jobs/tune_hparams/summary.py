"""Findings of a search: ``best_config.json`` and a summary of at most ten lines."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from jobs.files import write_json
from jobs.param_types import Value
from jobs.tune_hparams.objective import RULE, SCORE
from jobs.tune_hparams.params import Params, values_of
from jobs.tune_hparams.plots import importances
from jobs.tune_hparams.study import Study, ends_of, worth_of

BEST_CONFIG = "best_config.json"


def settings_of(params: Params, trial: FrozenTrial) -> dict[str, Value]:
    """A trial's arguments of start_training: what was searched, and what all trials shared."""
    return {**params.training, **trial.params}


def write_best_config(path: Path, params: Params, study: Study) -> None:
    """Write the best settings where start_training takes them from, whole or not at all."""
    best = study.best
    assert best is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    worth = worth_of(best)
    audio = {} if worth.score is None else {SCORE: worth.score}
    write_json(
        path,
        {
            "hyperparameters": settings_of(params, best),
            "validation_loss": worth.loss,
            **audio,
            "objective": params.objective,
            "trial": best.number,
            "n_trials": len(study.counted),
            "trial_steps": params.trial_steps,
            "base_model": params.base_model,
            "manifest": params.manifest,
        },
    )


def summary_of(params: Params, study: Study) -> list[str]:
    """At most ten lines for an agent."""
    best = study.best
    assert best is not None
    ends = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in ends_of(study.counted).items())
    lines = [
        f"{len(study.counted)} trials of {params.trial_steps} steps: {ends}.",
        f"Best: trial {best.number}, {worth_in_words(study, best)}: {_settings(best)}.",
    ]
    if params.objective == "both":
        front = ", ".join(str(number) for number in front_numbers(study))
        lines.append(f"Best by this rule: {RULE}. No other beats these in both: {front}.")
    lines += _of_the_others(study)
    lines += _of_the_first(params, study, best)
    shares = importances(study)
    if shares:
        told = ", ".join(f"{name} {share:.0%}" for name, share in list(shares.items())[:3])
        lines.append(f"What mattered, as far as so few trials tell: {told}.")
    for name in at_the_edge(params, best):
        lines.append(f"{name}={best.params[name]:.3g} is at the end of its range: a wider one may hold a better value.")
    heard = "" if params.objective == "loss" else "A score of a few sentences is rough, and a person hears more. "
    loss = "Loss is not quality: train with these settings, let the voice speak, and rate_samples. "
    return [*lines[:9], (heard or loss) + "A longer run may want a lower lr than these short ones."]


def worth_in_words(study: Study, trial: FrozenTrial) -> str:
    """A trial's values, the one that decides first."""
    worth, told = worth_of(trial), []
    if worth.score is not None:
        heard = trial.user_attrs["heard"]
        known = [("words", heard["intelligibility"]), ("voice", heard["voice"])]
        parts = "".join(f", {name} {value:.2f}" for name, value in known if value is not None)
        parts = f"rating {heard['rating']:.2f}, {heard['stop_rate']:.0%} stop{parts}"
        told.append(f"audio score {worth.score:.3f} ({parts})")
    if worth.loss is not None:
        told.append(f"validation loss {worth.loss:.4f}")
    return ", ".join(told)


def front_numbers(study: Study) -> list[int]:
    """The trials that no other beats in both values."""
    return [trial.number for trial in study.study.best_trials] if study.objective == "both" else []


def first_of(params: Params, study: Study) -> FrozenTrial | None:
    """The trial of the first point that was to be tried before any other."""
    return _trial_at(values_of(params.first[0]), study) if params.first else None


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


def _of_the_others(study: Study) -> list[str]:
    """Where the best lies among all."""
    worths = study.worths
    if len(worths) < 2:
        return []
    if study.objective == "loss":
        values = [worth.loss for worth in worths if worth.loss is not None]
        return [f"Median of {len(values)} complete trials {statistics.median(values):.4f}, worst {max(values):.4f}."]
    scores = [worth.score for worth in worths if worth.score is not None]
    return [f"Median score of {len(scores)} complete trials {statistics.median(scores):.3f}, worst {min(scores):.3f}."]


def _of_the_first(params: Params, study: Study, best: FrozenTrial) -> list[str]:
    """What became of the points that were recommended, with where they are from."""
    lines = []
    for point in params.first[:3]:
        trial = _trial_at(values_of(point), study)
        if trial is None or "end" not in trial.user_attrs:
            continue
        end = str(trial.user_attrs["end"]).replace("_", " ")
        value = worth_in_words(study, trial) if trial.state == TrialState.COMPLETE else end
        source = trial.user_attrs.get("source")
        told = f"Tried first (trial {trial.number}{f', from {source}' if source else ''}): {value}"
        lines.append(told + ("; nothing was better." if trial.number == best.number else "."))
    return lines


def _trial_at(point: dict[str, Value], study: Study) -> FrozenTrial | None:
    return next((t for t in study.counted if all(t.params.get(name) == value for name, value in point.items())), None)


def _settings(trial: FrozenTrial) -> str:
    return ", ".join(f"{name}={format_value(value)}" for name, value in trial.params.items())


def format_value(value: Any) -> str:
    """Write a setting's value with three significant digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
