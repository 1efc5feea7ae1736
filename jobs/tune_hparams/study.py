"""Optuna study of a search, on disk: the process may end at any time and open it again.

A point that ran out of memory is recorded; neither it nor a larger one is proposed again.
"""

import json
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import URL

from jobs.errors import UserError
from jobs.files.folders import refuse_links
from jobs.tune_hparams.memory_comparison import find_reason_too_large
from jobs.tune_hparams.objective import DIRECTIONS, LOSS, METRICS, SCORE, Objective, TrialValues, select_best
from jobs.tune_hparams.proposals import propose_trial, to_distribution
from jobs.tune_hparams.pruning import make_pruner, report_loss, should_prune
from jobs.tune_hparams.search_space import Point, Range
from jobs.tune_hparams.stored_trials import End, check_trials, stored_study

STUDY_NAME = "tune_hparams"
LOCK_WAIT_S = 60.0
# Optuna's samplers count a pruned trial as a bad one and ignore a failed one.
_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "out_of_memory": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "infeasible": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


@dataclass(frozen=True)
class TrialOutcome:
    """End of a trial: lowest validation loss and audio score of a complete one, or the reason of another end."""

    end: End
    loss: float | None = None
    detail: str = ""
    score: float | None = None


class Study:
    """Proposes points and records outcomes; every change is on disk when a call returns."""

    def __init__(
        self, path: Path, ranges: Sequence[Range], *, sampler: str = "tpe", seed: int = 0, identity: Any = None,
        compare_from_step: int = 1, objective: Objective = "loss",
        storage: BaseStorage | None = None,
    ) -> None:  # fmt: skip
        """Open the study of an SQLite file, or create it; ``storage`` is used instead of the file.

        Proposals depend on the seed and the number of trials, not on restarts of the search.

        Args:
            compare_from_step: no trial is stopped before this step.
            identity: of the search; only trials of equal identity are comparable. Stored with the study.

        Raises:
            UserError: ``out_dir_taken`` if the file holds a study of another identity, or none of this program;
                ``path_is_link``.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        refuse_links(path, *(path.with_name(path.name + suffix) for suffix in ("-journal", "-wal", "-shm")))
        url = URL.create("sqlite", database=str(path)).render_as_string()
        self.path, self._sampler, self._seed, self.objective = path, sampler, seed, objective
        self._distributions = {found.name: to_distribution(found) for found in ranges}
        with stored_study(path):
            self.study = optuna.create_study(
                study_name=STUDY_NAME,
                storage=storage or RDBStorage(url, engine_kwargs={"connect_args": {"timeout": LOCK_WAIT_S}}),
                directions=[DIRECTIONS[metric] for metric in METRICS[objective]],
                load_if_exists=True,
                pruner=make_pruner(compare_from_step),
            )
            known, trials = self.study.user_attrs.get("identity"), self.trials
        check_trials(trials, path, objective)
        if known is None and not trials:
            self.study.set_user_attr("identity", identity)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                self.study.set_metric_names(METRICS[objective])
        elif known != json.loads(json.dumps(identity)):
            raise UserError(
                "out_dir_taken",
                f"{path} holds a search of other trials (another manifest, split, base model, space or length).",
                "Give another out_dir, or the arguments of that search to continue it.",
            )

    def enqueue(self, points: Sequence[Point], sources: Sequence[str] = ()) -> None:
        """Queue points to try first, each with its source, unless the study has them already."""
        for index, point in enumerate(points):
            if not any(_is_at(trial, point) for trial in self.trials):
                source = sources[index] if index < len(sources) else ""
                self.study.enqueue_trial(dict(point), user_attrs={"source": source} if source else {})

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials, by number."""
        return self.study.get_trials(deepcopy=False)

    @property
    def finished(self) -> list[FrozenTrial]:
        """Trials that were started and have ended."""
        return [
            trial
            for trial in self.trials
            if trial.state.is_finished() and trial.user_attrs.get("end", "infeasible") != "infeasible"
        ]

    @property
    def running(self) -> list[FrozenTrial]:
        """Trials proposed and without an outcome; one that lacks values was interrupted while it was proposed."""
        return [trial for trial in self.trials if trial.state == TrialState.RUNNING]

    @property
    def complete_values(self) -> list[TrialValues]:
        """Values of the complete trials."""
        return [read_values(trial) for trial in self.trials if trial.state == TrialState.COMPLETE]

    @property
    def best(self) -> FrozenTrial | None:
        """Best complete trial, see ``objective.select_best``."""
        best = select_best(self.complete_values, self.objective)
        return None if best is None else self._frozen(best.number)

    def ask(self, find_obstacle: Callable[[Point], str | None] = lambda point: None) -> FrozenTrial | None:
        """Propose a point as a running trial; None if the space holds no further feasible one.

        ``find_obstacle`` returns the reason why a point cannot run on this machine, or None.
        """
        number = propose_trial(
            self.study,
            self._distributions,
            sampler=self._sampler,
            seed=self._seed,
            find_obstacle=lambda point: find_reason_too_large(point, self.trials) or find_obstacle(point),
            reject=lambda number, reason: self.tell(number, TrialOutcome("infeasible", detail=reason)),
        )
        return None if number is None else self._frozen(number)

    def discard_incomplete(self) -> None:
        """Discard trials that were interrupted while their values were written; a queued point is queued again."""
        for trial in self.running:
            if set(trial.params) != set(self._distributions):
                self.study.tell(trial.number, state=TrialState.FAIL)
                fixed = trial.system_attrs.get("fixed_params")
                if fixed:
                    self.study.enqueue_trial(fixed, user_attrs=trial.user_attrs)

    def set_attributes(self, number: int, **attributes: Any) -> None:
        """Store attributes of a trial."""
        for name, value in attributes.items():
            self._handle(number).set_user_attr(name, value)

    def report(self, number: int, step: int, loss: float) -> None:
        """Store an intermediate loss of a trial, see ``pruning.report_loss``."""
        known_steps = self._frozen(number).intermediate_values
        report_loss(self._handle(number), step, loss, objective=self.objective, known_steps=known_steps)

    def should_stop(self, number: int) -> bool:
        """Return True if the trial should be pruned, see ``pruning.should_prune``."""
        return should_prune(self._handle(number), self.objective)

    def tell(self, number: int, outcome: TrialOutcome) -> None:
        """Record the outcome of a trial; a second call changes nothing."""
        if self._frozen(number).state.is_finished():
            return
        known = {metric: value for metric, value in ((LOSS, outcome.loss), (SCORE, outcome.score)) if value is not None}
        self.set_attributes(number, detail=outcome.detail, end=outcome.end, **known)
        state = _STATES[outcome.end]
        values = [known[metric] for metric in METRICS[self.objective]] if state == TrialState.COMPLETE else None
        self.study.tell(number, values, state=state)

    def _frozen(self, number: int) -> FrozenTrial:
        return self.trials[number]

    def _handle(self, number: int) -> Trial:
        return Trial(self.study, self._frozen(number)._trial_id)


def count_ends(trials: Sequence[FrozenTrial]) -> dict[str, int]:
    """Count the trials by their end."""
    return dict(Counter(str(trial.user_attrs["end"]) for trial in trials))


def read_values(trial: FrozenTrial) -> TrialValues:
    """Read loss and score of a trial; None for a value that it does not have."""
    return TrialValues(trial.number, trial.user_attrs.get(LOSS), trial.user_attrs.get(SCORE))


def _is_at(trial: FrozenTrial, point: Point) -> bool:
    """Return True if the trial has this point or was queued with it."""
    return trial.system_attrs.get("fixed_params") == point or dict(trial.params) == point
