"""The search itself: an Optuna study on disk that may be left at any instant and opened again.

A point that ran out of memory is recorded, and neither it nor a larger one is proposed again.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import MedianPruner
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import URL

from jobs.errors import UserError
from jobs.param_types import Value
from jobs.tune_hparams.objective import DIRECTIONS, LOSS, METRICS, SCORE, Objective, Worth, best_of
from jobs.tune_hparams.search_space import Range

logger = logging.getLogger(__name__)

STUDY_NAME = "tune_hparams"
STARTUP_TRIALS = 4  # drawn at random before the sampler models; few, since a search has about twelve
PRUNE_AFTER = 3  # complete trials to compare with
MOST_REFUSED = 100  # proposals in a row that cannot fit: the space is used up
# A larger value of these never takes less memory; other arguments of a point must be equal for a comparison.
GROWING = frozenset({"batch_size", "batch_tokens", "lora_r", "predictor_share", "n_processes", "speaker_clips"})
FREE_OF_MEMORY = frozenset(
    {"lr", "weight_decay", "warmup_steps", "lr_schedule", "max_grad_norm", "code_predictor_weight", "lora_alpha",
     "lora_dropout", "lora_rslora", "seed", "gradient_accumulation_steps"}
)  # fmt: skip

End = Literal["complete", "pruned", "out_of_memory", "diverged", "failed", "infeasible"]
# Optuna's samplers take a pruned trial for a bad one and ignore a failed one.
_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "out_of_memory": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "infeasible": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}

Point = dict[str, Value]


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        end: in a word.
        value: lowest validation loss, of a complete one.
        detail: the reason of one that is not.
        score: audio score, where the search asks for it.
    """

    end: End
    value: float | None = None
    detail: str = ""
    score: float | None = None


class Study:
    """Asks for points and is told of outcomes; every change is on disk when a call returns."""

    def __init__(
        self, path: Path, ranges: Sequence[Range], *, sampler: str = "tpe", seed: int = 0, identity: Any = None,
        compare_from_step: int = 1, objective: Objective = "loss",
        storage: BaseStorage | None = None,
    ) -> None:  # fmt: skip
        """Open the study of a file, or make it.

        Args:
            path: SQLite file.
            ranges: what is searched.
            sampler: ``tpe``, ``gp`` or ``random``.
            seed: of the proposals; they depend on it and on the number of trials, not on how often one stopped.
            compare_from_step: a trial is not stopped before it.
            identity: what makes trials comparable; kept with the study.
            objective: what is optimised; Optuna prunes no trial of two objectives.
            storage: instead of the file; of studies that need not outlive the process.

        Raises:
            UserError: ``out_dir_taken`` when the file holds the study of another identity.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        url = URL.create("sqlite", database=str(path)).render_as_string()
        self.path, self._sampler, self._seed, self.objective = path, sampler, seed, objective
        self._distributions = {found.name: distribution_of(found) for found in ranges}
        self.study = optuna.create_study(
            study_name=STUDY_NAME,
            storage=storage or RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}}),
            directions=[DIRECTIONS[metric] for metric in METRICS[objective]],
            load_if_exists=True,
            pruner=MedianPruner(n_startup_trials=PRUNE_AFTER, n_warmup_steps=compare_from_step),
        )
        known = self.study.user_attrs.get("identity")
        if known is None:
            self.study.set_user_attr("identity", identity)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                self.study.set_metric_names(METRICS[objective])
        elif known != json.loads(json.dumps(identity)):
            raise UserError(
                "out_dir_taken",
                f"{path} holds a search of other trials (another manifest, base model, space or length).",
                "Give another out_dir; or the same arguments, to go on with that search.",
            )

    def enqueue(self, points: Sequence[Point], sources: Sequence[str] = ()) -> None:
        """Try these before any other, unless they are in the study already; keep with each where it is from."""
        for place, point in enumerate(points):
            if not any(_begins(trial, point) for trial in self.trials):
                source = sources[place] if place < len(sources) else ""
                self.study.enqueue_trial(dict(point), user_attrs={"source": source} if source else {})

    @property
    def trials(self) -> list[FrozenTrial]:
        """All of them, by number."""
        return self.study.get_trials(deepcopy=False)

    @property
    def counted(self) -> list[FrozenTrial]:
        """The trials that were started and have ended."""
        return [
            trial
            for trial in self.trials
            if trial.state.is_finished() and trial.user_attrs.get("end", "infeasible") != "infeasible"
        ]

    @property
    def running(self) -> list[FrozenTrial]:
        """Proposed and not yet told of. One without all of its values was cut off while it was proposed."""
        return [trial for trial in self.trials if trial.state == TrialState.RUNNING]

    @property
    def worths(self) -> list[Worth]:
        """The values of the complete trials."""
        return [worth_of(trial) for trial in self.trials if trial.state == TrialState.COMPLETE]

    @property
    def best(self) -> FrozenTrial | None:
        """The best complete trial, see ``objective.best_of``."""
        best = best_of(self.worths, self.objective)
        return None if best is None else self._frozen(best.number)

    def ask(self, why_not: Callable[[Point], str | None] = lambda point: None) -> FrozenTrial | None:
        """Propose a point.

        Args:
            why_not: the reason for which a point cannot run here, if there is one.

        Returns:
            A running trial, or None when the space holds nothing more that fits.
        """
        for n_refused in range(MOST_REFUSED):
            # towards the end also where the sampler would not look
            self.study.sampler = self._make_sampler("random" if n_refused > MOST_REFUSED // 2 else self._sampler)
            trial = self.study.ask(self._distributions)
            reason = self._too_large(dict(trial.params)) or why_not(dict(trial.params))
            if reason is None:
                return self._frozen(trial.number)
            self.tell(trial.number, Outcome("infeasible", detail=reason))
        return None

    def abandon_half_proposed(self) -> None:
        """Give up trials that were cut off while their values were written; a queued point is queued again."""
        for trial in self.running:
            if set(trial.params) != set(self._distributions):
                self.study.tell(trial.number, state=TrialState.FAIL)
                fixed = trial.system_attrs.get("fixed_params")
                if fixed:
                    self.study.enqueue_trial(fixed, user_attrs=trial.user_attrs)

    def note(self, number: int, **attributes: Any) -> None:
        """Keep attributes with a trial."""
        for name, value in attributes.items():
            self._handle(number).set_user_attr(name, value)

    def report(self, number: int, step: int, loss: float) -> None:
        """Keep an intermediate loss; a step that is known already is not written again.

        Where the score is maximised, so is what Optuna compares half-way: there it is the loss with a minus.
        """
        if self.objective != "both" and step not in self._frozen(number).intermediate_values:
            self._handle(number).report(-loss if self.objective == "audio" else loss, step)

    def should_stop(self, number: int) -> bool:
        """The trial's loss is worse than the median of the complete ones at the same step."""
        return self.objective != "both" and self._handle(number).should_prune()

    def tell(self, number: int, outcome: Outcome) -> None:
        """Write down how a trial ended; a second time changes nothing."""
        if self._frozen(number).state.is_finished():
            return
        known = {
            metric: value for metric, value in ((LOSS, outcome.value), (SCORE, outcome.score)) if value is not None
        }
        self.note(number, detail=outcome.detail, end=outcome.end, **known)
        state = _STATES[outcome.end]
        values = [known[metric] for metric in METRICS[self.objective]] if state == TrialState.COMPLETE else None
        self.study.tell(number, values, state=state)

    def _too_large(self, point: Point) -> str | None:
        """A point that takes at least as much memory as one that ran out of it."""
        for trial in self.trials:
            if trial.user_attrs.get("end") == "out_of_memory" and takes_as_much(point, dict(trial.params)):
                return f"trial {trial.number} ran out of memory with as much"
        return None

    def _make_sampler(self, name: str) -> BaseSampler:
        # by the number of trials: whoever opens the study again proposes what would have been proposed
        seed = self._seed * 1_000_003 + len(self.trials)
        if name == "random":
            return RandomSampler(seed=seed)
        if name == "gp":
            return GPSampler(seed=seed, n_startup_trials=STARTUP_TRIALS)
        return TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True)

    def _frozen(self, number: int) -> FrozenTrial:
        return self.trials[number]

    def _handle(self, number: int) -> Trial:
        return Trial(self.study, self._frozen(number)._trial_id)


def distribution_of(found: Range) -> BaseDistribution:
    """A range as Optuna has it."""
    if found.choices:
        return CategoricalDistribution(tuple(found.choices))
    low, high = found.bounds
    if found.is_whole:
        return IntDistribution(int(low), int(high), log=found.log)
    return FloatDistribution(low, high, log=found.log)


def takes_as_much(point: Point, other: Point) -> bool:
    """A point takes at least the memory of another, as far as their arguments tell."""
    for name, value in other.items():
        if name in FREE_OF_MEMORY:
            continue
        mine = point[name]
        grows = name in GROWING and not isinstance(value, str) and not isinstance(mine, str)
        if not (mine >= value if grows else mine == value):  # type: ignore[operator]
            return False
    return True


def ends_of(trials: Sequence[FrozenTrial]) -> dict[str, int]:
    """How many trials ended in which way."""
    words = [str(trial.user_attrs["end"]) for trial in trials]
    return {word: words.count(word) for word in dict.fromkeys(words)}


def worth_of(trial: FrozenTrial) -> Worth:
    """Loss and score of a trial, as far as it came."""
    return Worth(trial.number, trial.user_attrs.get(LOSS), trial.user_attrs.get(SCORE))


def _begins(trial: FrozenTrial, point: Point) -> bool:
    """The trial is this point, or was queued as it."""
    return trial.system_attrs.get("fixed_params") == point or dict(trial.params) == point
