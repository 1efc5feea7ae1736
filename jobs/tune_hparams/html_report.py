"""Findings of a search: ``best_config.json``, a summary of at most ten lines, and ``report.html``."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from jobs.files.atomic_io import write_json
from jobs.files.folders import make_folder
from jobs.param_types import Value
from jobs.reports import embed_picture
from jobs.reports import write_page as render_page
from jobs.training.params import may_be_in_a_file
from jobs.tune_hparams.objective import FORMULA, RULE, SAME_SCORE, SCORE
from jobs.tune_hparams.params import Params, point_values
from jobs.tune_hparams.plots import TITLES, compute_importances
from jobs.tune_hparams.study import Study, count_ends, read_values

BEST_CONFIG = "best_config.json"
PAGE = "report.html"


def training_settings(params: Params, trial: FrozenTrial) -> dict[str, Value]:
    """Return a trial's arguments of ``start_training``: searched and shared ones."""
    return {**params.training, **trial.params}


def write_best_config(path: Path, params: Params, study: Study) -> None:
    """Write the best settings for ``start_training hyperparams``, atomically."""
    best = study.best
    assert best is not None
    make_folder(path.parent)
    values = read_values(best)
    audio = {} if values.score is None else {SCORE: values.score}
    write_json(
        path,
        {
            "hyperparameters": {
                name: value for name, value in training_settings(params, best).items() if may_be_in_a_file(name, value)
            },
            "validation_loss": values.loss,
            **audio,
            "objective": params.objective,
            "trial": best.number,
            "n_trials": len(study.finished),
            "trial_steps": params.trial_steps,
            "base_model": params.base_model,
            "manifest": params.manifest,
        },
    )


def summary_lines(params: Params, study: Study) -> list[str]:
    """Write at most ten lines."""
    best = study.best
    assert best is not None
    ends = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in count_ends(study.finished).items())
    lines = [
        f"{len(study.finished)} trials of {params.trial_steps} steps: {ends}.",
        f"Best: trial {best.number}, {describe_values(best)}: {_settings(best)}.",
    ]
    if params.objective == "both":
        front = ", ".join(str(number) for number in front_numbers(study))
        lines.append(f"Best by this rule: {RULE}. No other beats these in both: {front}.")
    lines += _describe_others(study)
    lines += _describe_first_points(params, study, best)
    shares = compute_importances(study)
    if shares:
        largest = ", ".join(f"{name} {share:.0%}" for name, share in list(shares.items())[:3])
        lines.append(f"Most important settings (uncertain with few trials): {largest}.")
    for name in params_at_range_end(params, best):
        lines.append(f"{name}={best.params[name]:.3g} is at the end of its range: a wider one may hold a better value.")
    if params.objective == "loss":
        caveat = "Loss is not quality: train with these settings, then synthesize and rate_samples."
    else:
        caveat = "A score of a few sentences is uncertain: let a person listen."
    return [*lines[:9], f"{caveat} A longer run may need a lower lr than these short ones."]


def describe_values(trial: FrozenTrial) -> str:
    """Describe a trial's values, the deciding one first."""
    values, descriptions = read_values(trial), []
    if values.score is not None:
        audio = trial.user_attrs["heard"]
        known = [("intelligibility", audio["intelligibility"]), ("voice", audio["voice"])]
        parts = "".join(f", {name} {value:.2f}" for name, value in known if value is not None)
        parts = f"rating {audio['rating']:.2f}, {audio['stop_rate']:.0%} stop{parts}"
        descriptions.append(f"audio score {values.score:.3f} ({parts})")
    if values.loss is not None:
        descriptions.append(f"validation loss {values.loss:.4f}")
    return ", ".join(descriptions)


def front_numbers(study: Study) -> list[int]:
    """Return the numbers of the trials on the Pareto front; empty for one objective."""
    return [trial.number for trial in study.study.best_trials] if study.objective == "both" else []


def first_point_trial(params: Params, study: Study) -> FrozenTrial | None:
    """Return the trial of the first of the points to try first."""
    return _trial_at(point_values(params.first[0]), study) if params.first else None


def params_at_range_end(params: Params, best: FrozenTrial) -> list[str]:
    """Return the arguments on a log scale whose best value is within a twentieth of an end of their range."""
    names = []
    for found in params.ranges:
        if found.choices or found.low is None or found.high is None or not found.log:
            continue
        value = float(best.params[found.name])
        margin = (found.high / found.low) ** 0.05
        if value < found.low * margin or value > found.high / margin:
            names.append(found.name)
    return names


def _describe_others(study: Study) -> list[str]:
    """Describe median and worst of the complete trials."""
    complete = study.complete_values
    if len(complete) < 2:
        return []
    if study.objective == "loss":
        losses = [trial.loss for trial in complete if trial.loss is not None]
        return [f"Median of {len(losses)} complete trials {statistics.median(losses):.4f}, worst {max(losses):.4f}."]
    scores = [trial.score for trial in complete if trial.score is not None]
    return [f"Median score of {len(scores)} complete trials {statistics.median(scores):.3f}, worst {min(scores):.3f}."]


def _describe_first_points(params: Params, study: Study, best: FrozenTrial) -> list[str]:
    """Describe the results of the points tried first, with their sources."""
    lines = []
    for point in params.first[:3]:
        trial = _trial_at(point_values(point), study)
        if trial is None or "end" not in trial.user_attrs:
            continue
        end = str(trial.user_attrs["end"]).replace("_", " ")
        value = describe_values(trial) if trial.state == TrialState.COMPLETE else end
        source = trial.user_attrs.get("source")
        line = f"Tried first (trial {trial.number}{f', from {source}' if source else ''}): {value}"
        lines.append(line + ("; no other was better." if trial.number == best.number else "."))
    return lines


def _trial_at(point: dict[str, Value], study: Study) -> FrozenTrial | None:
    return next((t for t in study.finished if all(t.params.get(name) == value for name, value in point.items())), None)


def _settings(trial: FrozenTrial) -> str:
    return ", ".join(f"{name}={format_value(value)}" for name, value in trial.params.items())


def format_value(value: Any) -> str:
    """Write a setting's value with three significant digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def write_page(path: Path, params: Params, study: Study, lines: Sequence[str], pictures: Sequence[str]) -> None:
    """Write the page with plots from its folder; links lead to the interactive plots beside it."""
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
