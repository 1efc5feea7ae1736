"""A trial is a training job of its own: what one runs as, and what its end means for the search."""

from __future__ import annotations

import shutil
from pathlib import Path

from optuna.trial import FrozenTrial

from jobs.errors import UserError
from jobs.runner.children import Children
from jobs.runner.context import JobContext
from jobs.runner.records import JobRecord
from jobs.training.spec import KIND as TRAINING
from jobs.tune_hparams.spec import Params, training_of
from jobs.tune_hparams.study import Outcome, Point, Study

MEMORY = frozenset({"cuda_oom", "memory_too_small"})
METRIC = "validation_loss"
HEAVY = ("voice", "voice-last", "adapter", "checkpoints")


class Trials:
    """The running trials of a search."""

    def __init__(self, params: Params, context: JobContext, study: Study, folder: Path) -> None:
        """Take up what runs already."""
        self._params, self._context, self._study, self._folder = params, context, study, folder
        self._children = Children(context)
        self.jobs: dict[str, int] = {}  # job id to number of the trial
        for trial in study.running:
            self.start(trial)

    def start(self, trial: FrozenTrial) -> None:
        """Start a trial's job, or find it; one that was cancelled with an earlier search goes on from its checkpoint.

        Raises:
            UserError: what the runner refuses.
        """
        job_id = trial.user_attrs.get("job")
        if job_id is None or self._was_lost(job_id, trial):
            training = training_of(self._params, trial.params, str(self.folder_of(trial.number)))
            job_id = self._children.start(f"trial-{trial.number}", TRAINING, training).job_id
            self._study.note(trial.number, job=job_id)
        self.jobs[job_id] = trial.number

    def wait(self) -> list[int]:
        """Wait until at least one has ended, and tell the study.

        Returns:
            The numbers of those that have.
        """
        ended = self._children.wait_for_one(list(self.jobs), self._look)
        for job in ended:
            self._report(job.job_id)
            number = self.jobs.pop(job.job_id)
            trial = self._study.trials[number]
            self._study.tell(number, outcome_of(job, stopped_early="stopped_early" in trial.user_attrs))
        return [self._numbered(job) for job in ended]

    def why_not(self, point: Point) -> str | None:
        """The reason why a point cannot run on this machine, by the plan of its training."""
        assert TRAINING.plan is not None
        training = training_of(self._params, point, str(self._folder / "trial"))
        memory = TRAINING.plan(training, self._context.settings).get("memory", {})
        total = memory.get("total_gb")
        if total is not None and memory["peak_gb"] > total:
            return f"needs about {memory['peak_gb']} GB of {total} GB"
        return None

    def tidy(self, best: int | None) -> None:
        """Delete the weights of all ended trials but the best one's."""
        for trial in self._study.counted:
            if trial.number != best:
                for name in HEAVY:
                    shutil.rmtree(self.folder_of(trial.number) / name, ignore_errors=True)

    def folder_of(self, number: int) -> Path:
        """Where a trial writes."""
        return self._folder / f"trial_{number}"

    def _look(self, job_id: str) -> None:
        """Tell the study how a trial goes, and stop one that goes badly."""
        number = self.jobs[job_id]
        if self._report(job_id) and self._params.pruning and self._study.should_stop(number):
            self._study.note(number, stopped_early=True)
            self._children.runner.cancel(job_id)

    def _report(self, job_id: str) -> bool:
        """Whether anything was measured since the last look."""
        number, known = self.jobs[job_id], len(self._study.trials[self.jobs[job_id]].intermediate_values)
        for point in self._children.runner.history(job_id).points:
            if METRIC in point.metrics:
                self._study.report(number, int(point.done), point.metrics[METRIC])
        return len(self._study.trials[number].intermediate_values) > known

    def _was_lost(self, job_id: str, trial: FrozenTrial) -> bool:
        try:
            job = self._children.runner.get(job_id)
        except UserError:
            return True
        return job.state == "cancelled" and "stopped_early" not in trial.user_attrs

    def _numbered(self, job: JobRecord) -> int:
        return next(trial.number for trial in self._study.trials if trial.user_attrs.get("job") == job.job_id)


def outcome_of(job: JobRecord, *, stopped_early: bool) -> Outcome:
    """What the end of a training means.

    Args:
        job: that has ended.
        stopped_early: the search has cancelled it.
    """
    code = job.failure.code if job.failure else ""
    told = job.failure.message if job.failure else job.detail
    if job.state == "succeeded":
        loss = (job.result or {}).get("validation_loss")
        return Outcome("complete", loss) if loss is not None else Outcome("failed", detail="no clip was held out")
    if job.reason in ("cuda_oom", "oom_likely") or code in MEMORY:
        return Outcome("out_of_memory", detail=told)
    if code == "training_diverged":
        return Outcome("diverged", detail=told)
    if job.state == "cancelled" and stopped_early:
        return Outcome("pruned", detail="worse than the median at the same step")
    return Outcome("failed", detail=f"{job.state}: {code or job.reason or ''} {told}".strip())
