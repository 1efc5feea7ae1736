"""Checks of a study on disk, which lies in an output folder: a stranger may have put another file there."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

from optuna.exceptions import OptunaError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from jobs.errors import UserError
from jobs.runner.paths import is_job_id
from jobs.tune_hparams.objective import LOSS, METRICS, SCORE, Objective

End = Literal["complete", "pruned", "out_of_memory", "diverged", "failed", "infeasible"]
TEXTS, JOBS = ("detail", "source"), ("job", "speak_job", "rate_job")
AUDIO_PARTS = frozenset({"score", "rating", "stop_rate", "intelligibility", "voice", "n_takes"})
FIXED = "fixed_params"  # of Optuna: the values of a queued trial
LONGEST_SHOWN = 200


@contextmanager
def stored_study(path: Path) -> Iterator[None]:
    """Translate what Optuna and SQLAlchemy raise on a file that they cannot use.

    Raises:
        UserError: ``out_dir_taken``, ``study_locked``.
    """
    try:
        with unlocked_study(path):
            yield
    except UserError:
        raise
    except (OptunaError, SQLAlchemyError, RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {str(error)[:LONGEST_SHOWN]}"
        raise _taken(path, f"cannot be opened as a study ({why})") from error


@contextmanager
def unlocked_study(path: Path) -> Iterator[None]:
    """Translate what is raised while another program writes to the study for longer than a search waits.

    Raises:
        UserError: ``study_locked``.
    """
    try:
        yield
    except (OptunaError, SQLAlchemyError) as error:
        if "locked" not in f"{error} {error.__cause__}":
            raise
        raise UserError(
            "study_locked",
            f"Another program has {path} open for writing, and holds it for longer than a minute.",
            "End that program (a database browser, another search with this out_dir); the same call goes on.",
        ) from error


def check_trials(trials: Sequence[FrozenTrial], path: Path, objective: Objective) -> None:
    """Check that trials hold what a search writes, whatever their values.

    Raises:
        UserError: ``out_dir_taken``.
    """
    for trial in trials:
        fault = next(_faults(trial, objective), None)
        if fault is not None:
            raise _taken(path, f"holds a trial that no search wrote ({fault})")


def _faults(trial: FrozenTrial, objective: Objective) -> Iterator[str]:
    about, fixed = trial.user_attrs, trial.system_attrs.get(FIXED, {})
    if about.get("end", "failed") not in get_args(End):
        yield "end"
    yield from (name for name in (LOSS, SCORE) if about.get(name) is not None and not _is_number(about[name]))
    yield from (name for name in TEXTS if not isinstance(about.get(name, ""), str))
    yield from (name for name in JOBS if name in about and not is_job_id(str(about[name])))
    if not _are_values(trial.params) or not _are_values(fixed):
        yield "parameters"
    if "heard" in about and not _is_audio_score(about["heard"]):
        yield "heard"
    if trial.state == TrialState.COMPLETE:
        yield from (name for name in METRICS[objective] if about.get(name) is None)


def _is_audio_score(value: Any) -> bool:
    is_known = isinstance(value, Mapping) and set(value) == AUDIO_PARTS
    return is_known and all(part is None or _is_number(part) for part in value.values())


def _are_values(values: Any) -> bool:
    return isinstance(values, Mapping) and all(isinstance(value, str) or _is_number(value) for value in values.values())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _taken(path: Path, why: str) -> UserError:
    return UserError(
        "out_dir_taken", f"{path} {why}.", "Give another out_dir; where the disk is full, free some and call again."
    )
