"""Trials as jobs: a training each, and a speaking and a rating where that is asked for; found again after a kill."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from optuna.trial import FrozenTrial

from jobs.dataset.takes import TAKES_NAME, read_takes
from jobs.errors import UserError
from jobs.param_types import Strict
from jobs.rate_samples.params import Params as Rate
from jobs.rate_samples.spec import KIND as RATE
from jobs.runner.job_kind import JobKind
from jobs.runner.models import JobRecord
from jobs.runner.worker.child_jobs import Children
from jobs.runner.worker.context import JobContext
from jobs.synthesize.params import EVALUATION_TEXTS, longest_take_s
from jobs.synthesize.params import Params as Synthesize
from jobs.synthesize.spec import KIND as SYNTHESIZE
from jobs.training.spec import KIND as TRAINING
from jobs.tune_hparams.objective import heard_of
from jobs.tune_hparams.params import Params, training_of
from jobs.tune_hparams.study import Outcome, Point, Study

MEMORY = frozenset({"cuda_oom", "memory_too_small"})
METRIC = "validation_loss"
HEAVY = ("voice", "voice-last", "adapter", "checkpoints")
TAKES = "takes"
# A shorter sentence tells a rating little (fewer than 6 words are not rated), a longer one costs more than it tells.
LEAST_WORDS, MOST_WORDS = 6, 30
LEAST_SENTENCES, MOST_HELD_OUT = 4, 6

Phase = Literal["job", "speak_job", "rate_job"]
"""Of a trial, in this order: trains, speaks, is rated. Also the attribute of the trial that holds the job's id."""


class Trials:
    """The running trials of a search."""

    def __init__(self, params: Params, context: JobContext, study: Study, folder: Path, texts: list[str]) -> None:
        """Take up what runs already."""
        self._params, self._context, self._study, self._folder, self._texts = params, context, study, folder, texts
        self._children = Children(context)
        self.jobs: dict[str, tuple[int, Phase]] = {}  # of each running trial: its job, number, phase
        for trial in study.running:
            self.start(trial)

    def start(self, trial: FrozenTrial) -> None:
        """Start a trial's training, or find it; one cancelled with an earlier search goes on from its checkpoint.

        Raises:
            UserError: what the runner refuses.
        """
        training = training_of(self._params, trial.params, str(self.folder_of(trial.number)))
        self._begin(trial.number, "job", f"trial-{trial.number}", TRAINING, training)

    def wait(self) -> list[int]:
        """Wait until at least one job has ended; tell the study of trials that have, let the others speak.

        Returns:
            The numbers of the trials that have ended.
        """
        numbers = []
        for job in self._children.wait_for_one(list(self.jobs), self._look):
            if self.jobs[job.job_id][1] == "job":
                self._report(job.job_id)
            number, phase = self.jobs.pop(job.job_id)
            outcome = self._go_on(number, phase, job)
            if outcome is not None:
                self._study.tell(number, outcome)
                numbers.append(number)
        return numbers

    def why_not(self, point: Point) -> str | None:
        """The reason why a point cannot run on this machine, by the plan of its training."""
        training = training_of(self._params, point, str(self._folder / "trial"))
        memory = TRAINING.make_plan(training, self._context.settings).get("memory", {})
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

    def _begin(self, number: int, phase: Phase, name: str, kind: JobKind, params: Strict) -> None:
        trial = self._study.trials[number]
        job_id = trial.user_attrs.get(phase)
        if job_id is None or self._was_lost(job_id, trial):
            job_id = self._children.start(name, kind, params).job_id
            self._study.note(number, **{phase: job_id})
        self.jobs[job_id] = number, phase

    def _go_on(self, number: int, phase: Phase, job: JobRecord) -> Outcome | None:
        """Start what comes after a job of a trial; None while there is something."""
        is_stopped_early = "stopped_early" in self._study.trials[number].user_attrs
        if phase == "job":
            outcome = outcome_of(job, stopped_early=is_stopped_early)
            if outcome.end != "complete" or self._params.objective == "loss":
                return outcome
            self._study.note(number, validation_loss=outcome.value)
            self._speak(number, str((job.result or {})["voice"]))
            return None
        if job.state != "succeeded":
            return Outcome("failed", detail=f"{job.kind}: {_told(job)}")
        if phase == "speak_job":
            takes = self.folder_of(number) / TAKES
            # no anchors: they are the same for every trial
            rate = Rate(takes=str(takes / TAKES_NAME), narrator_manifest=self._params.manifest,
                        out=str(takes / "ratings.json"), anchor_clips=0)  # fmt: skip
            self._begin(number, "rate_job", f"trial-{number}-rate", RATE, rate)
            return None
        return self._rated(number)

    def _speak(self, number: int, voice: str) -> None:
        speak = Synthesize(
            model=voice, texts=self._texts, takes_per_text=self._params.takes_per_text, seed=self._params.seed,
            out_dir=str(self.folder_of(number) / TAKES), max_seconds=longest_take_s(self._texts),
        )  # fmt: skip
        self._begin(number, "speak_job", f"trial-{number}-speak", SYNTHESIZE, speak)

    def _rated(self, number: int) -> Outcome:
        takes = self.folder_of(number) / TAKES
        ratings = json.loads((takes / "ratings.json").read_text(encoding="utf-8"))["takes"]
        heard = heard_of(ratings, [take.hit_limit for take in read_takes(takes)])
        if heard is None:
            return Outcome("failed", detail="none of its takes could be rated")
        self._study.note(number, heard=asdict(heard))
        return Outcome("complete", self._study.trials[number].user_attrs[METRIC], score=heard.score)

    def _look(self, job_id: str) -> None:
        """Tell the study how a training goes, and stop one that goes badly."""
        number, phase = self.jobs[job_id]
        if phase == "job" and self._report(job_id) and self._params.pruning and self._study.should_stop(number):
            self._study.note(number, stopped_early=True)
            self._children.runner.cancel(job_id)

    def _report(self, job_id: str) -> bool:
        """Whether anything was measured since the last look."""
        number, known = self.jobs[job_id][0], len(self._study.trials[self.jobs[job_id][0]].intermediate_values)
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
    return Outcome("failed", detail=_told(job))


def _told(job: JobRecord) -> str:
    code, message = (job.failure.code, job.failure.message) if job.failure else (job.reason or "", job.detail)
    return f"{job.state}: {code} {message}".strip()


def sentences_of(params: Params) -> list[str]:
    """What every trial speaks: given, or held out, or fixed."""
    if params.texts or params.objective == "loss":
        return params.texts
    rows: list[dict[str, Any]] = [json.loads(line) for line in Path(params.manifest).read_text("utf-8").splitlines()]
    held_out = [row["text"] for row in rows if row.get("split") == "validation"]
    fitting = [text for text in dict.fromkeys(held_out) if LEAST_WORDS <= len(text.split()) <= MOST_WORDS]
    spread = [fitting[place * len(fitting) // MOST_HELD_OUT] for place in range(MOST_HELD_OUT)] if fitting else []
    found = list(dict.fromkeys(spread))
    return found if len(found) >= LEAST_SENTENCES else [*found, *EVALUATION_TEXTS]
