"""Jobs of the trials: a training, then synthesis and rating if the objective includes audio.

Jobs are found again after a kill.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Literal

from optuna.trial import FrozenTrial

from jobs.dataset.manifest import Clip, read_rows
from jobs.dataset.split import sample_evenly
from jobs.dataset.takes import TAKES_NAME, read_takes
from jobs.errors import UserError
from jobs.files.own_files import remove_own
from jobs.param_types import Strict
from jobs.rate_samples.params import Params as Rate
from jobs.rate_samples.spec import KIND as RATE
from jobs.rating.ratings_file import RATINGS_NAME, read_ratings_file
from jobs.runner.job_kind import JobKind
from jobs.runner.models import JobRecord
from jobs.runner.worker.child_jobs import Children
from jobs.runner.worker.context import JobContext
from jobs.synthesize.params import EVALUATION_TEXTS
from jobs.synthesize.params import Params as Synthesize
from jobs.synthesize.spec import KIND as SYNTHESIZE
from jobs.training.spec import KIND as TRAINING
from jobs.training.spec import WEIGHT_FILES
from jobs.tune_hparams.objective import score_takes
from jobs.tune_hparams.params import Params, build_trial_training
from jobs.tune_hparams.search_space import Point
from jobs.tune_hparams.study import Study, TrialOutcome

MEMORY_CODES = frozenset({"cuda_oom", "memory_too_small"})
METRIC = "validation_loss"
TAKES = "takes"
# Words of texts with fewer than 6 words are not rated; longer texts cost time without further information.
MIN_WORDS, MAX_WORDS = 6, 30
MIN_TEXTS, MAX_HELD_OUT_TEXTS = 4, 6

Phase = Literal["job", "speak_job", "rate_job"]
"""Phase of a trial: training, synthesis, rating. Also the name of the trial's attribute with the id of the job."""


class TrialRunner:
    """Runs the jobs of a search's trials."""

    def __init__(self, params: Params, context: JobContext, study: Study, folder: Path, texts: list[str]) -> None:
        """Resume the running trials; each speaks the texts, and ``folder`` holds the search's files."""
        self._params, self._context, self._study, self._folder, self._texts = params, context, study, folder, texts
        self._children = Children(context)
        self.jobs: dict[str, tuple[int, Phase]] = {}  # trial number and phase by job id
        for trial in study.running:
            self.start(trial)

    def start(self, trial: FrozenTrial) -> None:
        """Start or find a trial's training; one cancelled with an earlier search continues from its checkpoint."""
        training = build_trial_training(self._params, trial.params, str(self.trial_folder(trial.number)))
        self._begin(trial.number, "job", f"trial-{trial.number}", TRAINING, training)

    def wait(self) -> list[int]:
        """Wait until a job has ended; start the next phase of its trial, or record the outcome.

        Return the numbers of the trials that have ended.
        """
        numbers = []
        for job in self._children.wait_for_one(list(self.jobs), self._watch):
            if self.jobs[job.job_id][1] == "job":
                self._report(job.job_id)
            number, phase = self.jobs.pop(job.job_id)
            outcome = self._advance(number, phase, job)
            if outcome is not None:
                self._study.tell(number, outcome)
                numbers.append(number)
        return numbers

    def find_obstacle(self, point: Point) -> str | None:
        """Return the reason why a point cannot run on this machine, by the plan of its training."""
        training = build_trial_training(self._params, point, str(self._folder / "trial"))
        memory = TRAINING.make_plan(training, self._context.settings).get("memory", {})
        total = memory.get("total_gb")
        if total is not None and memory["peak_gb"] > total:
            return f"needs about {memory['peak_gb']} GB of {total} GB"
        return None

    def delete_weights(self, best: int | None) -> None:
        """Delete the weights of all finished trials except the best."""
        for trial in self._study.finished:
            if trial.number != best:
                for name, own in WEIGHT_FILES.items():
                    remove_own(self.trial_folder(trial.number) / name, own)

    def trial_folder(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self._folder / f"trial_{number}"

    def _begin(self, number: int, phase: Phase, name: str, kind: JobKind, params: Strict) -> None:
        trial = self._study.trials[number]
        job_id = trial.user_attrs.get(phase)
        if job_id is None or self._was_lost(job_id, trial):
            job_id = self._children.start(name, kind, params).job_id
            self._study.set_attributes(number, **{phase: job_id})
        self.jobs[job_id] = number, phase

    def _advance(self, number: int, phase: Phase, job: JobRecord) -> TrialOutcome | None:
        """Start the job that follows in a trial and return None; after the last one return the outcome."""
        is_stopped_early = "stopped_early" in self._study.trials[number].user_attrs
        if phase == "job":
            outcome = read_outcome(job, stopped_early=is_stopped_early)
            if outcome.end != "complete" or self._params.objective == "loss":
                return outcome
            self._study.set_attributes(number, validation_loss=outcome.loss)
            assert job.result is not None
            self._speak(number, job.result["voice"], job.result["speaker"])
            return None
        if job.state != "succeeded":
            return TrialOutcome("failed", detail=f"{job.kind}: {_describe_failure(job)}")
        if phase == "speak_job":
            takes = self.trial_folder(number) / TAKES
            # without anchors, which are the same for every trial
            rate = Rate(takes=str(takes / TAKES_NAME), narrator_manifest=self._params.manifest,
                        out=str(takes / RATINGS_NAME), anchor_clips=0)  # fmt: skip
            self._begin(number, "rate_job", f"trial-{number}-rate", RATE, rate)
            return None
        return self._read_score(number)

    def _speak(self, number: int, voice: str, speaker: str) -> None:
        speak = Synthesize(
            model=voice, speaker=speaker, texts=self._texts, takes_per_text=self._params.takes_per_text,
            seed=self._params.seed, out_dir=str(self.trial_folder(number) / TAKES), instruct=self._params.instruct,
        )  # fmt: skip
        self._begin(number, "speak_job", f"trial-{number}-speak", SYNTHESIZE, speak)

    def _read_score(self, number: int) -> TrialOutcome:
        takes = self.trial_folder(number) / TAKES
        ratings = read_ratings_file(takes / RATINGS_NAME)["takes"]
        audio = score_takes(ratings, [take.hit_limit for take in read_takes(takes)])
        if audio is None:
            return TrialOutcome("failed", detail="none of its takes could be rated")
        self._study.set_attributes(number, heard=asdict(audio))
        return TrialOutcome("complete", self._study.trials[number].user_attrs[METRIC], score=audio.score)

    def _watch(self, job_id: str) -> None:
        """Report the losses of a training to the study, and stop the training if the study says so."""
        number, phase = self.jobs[job_id]
        if phase == "job" and self._report(job_id) and self._params.pruning and self._study.should_stop(number):
            self._study.set_attributes(number, stopped_early=True)
            self._children.runner.cancel(job_id)

    def _report(self, job_id: str) -> bool:
        """Report new losses of a training to the study; return whether there were any."""
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


def read_outcome(job: JobRecord, *, stopped_early: bool) -> TrialOutcome:
    """Read the outcome of a trial from its finished training; ``stopped_early``: the search cancelled it."""
    code = job.failure.code if job.failure else ""
    detail = job.failure.message if job.failure else job.detail
    if job.state == "succeeded":
        loss = (job.result or {}).get("validation_loss")
        if loss is None:
            return TrialOutcome("failed", detail="no clip was held out")
        return TrialOutcome("complete", loss)
    if job.reason in ("cuda_oom", "oom_likely") or code in MEMORY_CODES:
        return TrialOutcome("out_of_memory", detail=detail)
    if code == "training_diverged":
        return TrialOutcome("diverged", detail=detail)
    if job.state == "cancelled" and stopped_early:
        return TrialOutcome("pruned", detail="worse than the median at the same step")
    return TrialOutcome("failed", detail=_describe_failure(job))


def _describe_failure(job: JobRecord) -> str:
    code, message = (job.failure.code, job.failure.message) if job.failure else (job.reason or "", job.detail)
    return f"{job.state}: {code} {message}".strip()


def choose_texts(params: Params) -> list[str]:
    """Choose the texts that every trial speaks: given, held-out or fixed ones."""
    if params.texts or params.objective == "loss":
        return params.texts
    held_out = [row.text for row in read_rows(Path(params.manifest), Clip) if row.split == "validation"]
    fitting = [text for text in dict.fromkeys(held_out) if MIN_WORDS <= len(text.split()) <= MAX_WORDS]
    texts = sample_evenly(fitting, MAX_HELD_OUT_TEXTS)
    return texts if len(texts) >= MIN_TEXTS else [*texts, *EVALUATION_TEXTS]
