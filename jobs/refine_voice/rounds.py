"""Jobs of a round: train, speak, rate. They are found again by name, so that a killed loop continues."""

import contextlib
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.dataset.takes import TAKES_NAME, read_takes
from jobs.errors import UserError
from jobs.param_types import Strict
from jobs.rate_samples.params import Params as Rate
from jobs.rate_samples.spec import KIND as RATE
from jobs.rating.ratings_file import RATINGS_NAME
from jobs.refine_voice.dry_run import build_round_training
from jobs.refine_voice.evaluations import (
    MEASURES,
    TakeRating,
    build_round_rating,
    link_takes,
    read_decided_rating,
    read_human_ratings,
    read_ratings,
    write_evaluation,
)
from jobs.refine_voice.params import Params, search_of
from jobs.refine_voice.policy import Adjustment, Freeze, RoundRating, TrainingOutcome
from jobs.runner.call_text import GAP, call_text
from jobs.runner.job_kind import JobKind
from jobs.runner.models import JobRecord, Progress
from jobs.runner.worker.child_jobs import Children
from jobs.runner.worker.context import JobContext
from jobs.synthesize.params import Params as Synthesize
from jobs.synthesize.spec import KIND as SYNTHESIZE
from jobs.training.params import Params as Training
from jobs.training.spec import KIND as TRAINING
from jobs.tune_hparams.params import Params as Tune
from jobs.tune_hparams.spec import KIND as TUNE

POLL_INTERVAL_S = 1.0
VALIDATIONS_PER_ROUND = 4
MIN_VALIDATIONS = 3  # fewer do not show whether the curve flattens

Curve = list[tuple[float, float]]
"""Pairs of step and value."""


@dataclass(frozen=True)
class TrainedRound:
    """Result of a round's training; ``speaker`` is the one that it trained, also among others of the base."""

    voice: str
    speaker: str
    lr: float | None
    steps: int
    validation_loss: float | None
    outcome: TrainingOutcome
    curves: dict[str, Curve]


class RoundRunner:
    """Runs the jobs of each round, one after the other."""

    def __init__(self, params: Params, context: JobContext, folder: Path) -> None:
        """Find the child jobs of the context's job; ``folder`` holds the loop's files."""
        self._params, self._context, self._folder = params, context, folder
        self._children = Children(context)
        self.done, self.total = 0.0, 1.0  # steps of the loop, for progress

    def search(self) -> str:
        """Search hyper-parameters; return the path of ``best_config.json``."""
        params = search_of(self._params, str(self._folder / "hyperparameter_search"))
        suggested = TUNE.make_suggestions(params, params.model_fields_set, self._context.settings)
        job = self._run("search", TUNE, Tune.model_validate({**params.model_dump(), **suggested}))
        assert job.result is not None
        return str(job.result["best_config"])

    def train(self, iteration: int, base: str, adjustment: Adjustment, hyperparams: str | None) -> TrainedRound:
        """Train a round from a base model or a voice."""
        out_dir = str(self._folder / "checkpoints" / f"iteration_{iteration}")
        params = build_round_training(
            self._params, self._context.settings, iteration=iteration, base_model=base, out_dir=out_dir,
            length_factor=adjustment.steps_factor, freeze=adjustment.freeze, hyperparams=hyperparams,
        )  # fmt: skip
        params = params.model_copy(update={"gpu_memory_gb": None})  # it trains on this machine
        planned = TRAINING.make_plan(params, self._context.settings).get("settings")
        if planned is not None:  # None: no clip to train on, which the training reports
            # several validations in a round show whether the loss still falls at its end
            interval = params.validate_every_steps or max(1, planned["optimizer_steps"] // VALIDATIONS_PER_ROUND)
            changes = {"lr": planned["lr"] * adjustment.lr_factor, "validate_every_steps": interval}
            params = Training.model_validate(params.model_dump() | changes)
        job = self._run(f"train-{iteration}", TRAINING, params)
        assert job.result is not None
        return read_training_result(params, job.result, self._children.runner.history(job.job_id).points)

    def speak(self, iteration: int, model: str, *, speaker: str | None = None, ref_audio: str | None = None) -> None:
        """Synthesise the texts: ``takes.jsonl`` and ``eval_NN.wav`` in the round's folder."""
        folder = self.evaluation_folder(iteration)
        params = Synthesize(
            model=model, texts=self._params.texts, takes_per_text=self._params.takes_per_text, out_dir=str(folder),
            seed=self._params.seed, instruct=None if ref_audio else self._params.instruct, speaker=speaker,
            ref_audio=ref_audio,
        )  # fmt: skip
        self._run(f"speak-{iteration}", SYNTHESIZE, params)
        link_takes(folder)

    def rate(self, iteration: int, clone: Path | None = None) -> RoundRating:
        """Rate a round's takes automatically, in one run with those of the untrained base in the folder ``clone``."""
        folder = self.evaluation_folder(iteration)
        params = Rate(
            takes=str(folder / TAKES_NAME), narrator_manifest=self._params.manifest, out=str(folder / RATINGS_NAME),
            anchor_clips=self._params.anchor_clips, zero_shot_takes=str(clone / TAKES_NAME) if clone else None,
            measures=str(self._folder / "evaluations" / MEASURES),  # narrator and anchors are measured once
        )  # fmt: skip
        self._run(f"rate-{iteration}", RATE, params)
        ratings, report = read_ratings(folder)
        rating = build_round_rating(read_takes(folder), ratings, report["takes"])
        self._write(iteration, rating, ratings, "automatic")
        return rating

    def wait_for_human_ratings(self, iteration: int) -> RoundRating:
        """Wait until a person has scored every take of a round; meanwhile no slot is held that other jobs need."""
        folder = self.evaluation_folder(iteration)
        decided = read_decided_rating(folder, self._context.job_id)
        if decided is not None:
            return decided
        while True:
            ratings, missing = read_human_ratings(folder)
            if not missing:
                rating = build_round_rating(read_takes(folder), ratings)
                self._write(iteration, rating, ratings, "person")
                return rating
            self._context.progress(
                self.done, self.total,
                f"iteration {iteration} waits for a person's scores of {len(missing)} takes: "
                f"{call_text('rate_samples', {'takes': str(folder / TAKES_NAME), 'scores': GAP})}, a list with "
                f'{{"audio": {json.dumps(missing[0], ensure_ascii=False)}, "score": 1..5}} of each',
            )  # fmt: skip
            self._context.raise_if_cancelled()
            threading.Event().wait(POLL_INTERVAL_S)

    def evaluation_folder(self, iteration: int) -> Path:
        """Return the folder of a round's takes."""
        return self._folder / "evaluations" / f"iteration_{iteration}"

    def _write(self, iteration: int, rating: RoundRating, ratings: dict[str, TakeRating], rated_by: str) -> None:
        write_evaluation(
            self.evaluation_folder(iteration), iteration, rating, ratings,
            threshold=self._params.quality_threshold, rated_by=rated_by, job=self._context.job_id,
        )  # fmt: skip

    def _run(self, name: str, kind: JobKind, params: Strict) -> JobRecord:
        """Run a child job to its end.

        Raises:
            UserError: ``round_failed`` with the reason of the child.
        """
        job = self._children.start(name, kind, params)
        [job] = self._children.wait([job.job_id], lambda record, progress: self._report(name, record, progress))
        if job.state != "succeeded" or job.result is None:
            failure = job.failure
            cause = f"{failure.code}: {failure.message}" if failure else f"{job.state} {job.reason or ''} {job.detail}"
            raise UserError(
                "round_failed",
                f"{name} ({job.job_id}): {cause}".strip(),
                (failure.hint + " " if failure and failure.hint else "") + "Then call again: finished rounds are kept.",
            )
        return job

    def _report(self, name: str, record: JobRecord, progress: Progress | None) -> None:
        with contextlib.suppress(OSError):  # a lost progress line does not end the loop
            message = f": {progress.message}" if progress is not None and progress.message else ""
            self._context.progress(self.done, self.total, f"{name} {record.state}{message}")


def read_training_result(params: Training, result: dict[str, Any], points: Sequence[Progress]) -> TrainedRound:
    """Read the result of a round's training; ``points`` are its metrics over time."""
    curves = {
        name: [(point.done, point.metrics[name]) for point in points if name in point.metrics]
        for name in ("loss", "validation_loss")
    }
    # default of start_training
    freeze: Freeze = params.freeze or ("code_predictor" if result["base_check"] == "aligned" else "none")
    falling = is_still_falling([value for _, value in curves["validation_loss"]])
    return TrainedRound(
        voice=result["voice"], speaker=result["speaker"], lr=params.lr, steps=result["steps"],
        validation_loss=result["validation_loss"], curves=curves,
        outcome=TrainingOutcome(params.method, freeze if params.method == "full" else "none", falling),
    )  # fmt: skip


def is_still_falling(losses: Sequence[float]) -> bool:
    """Return True if the last interval between validations brought at least a tenth of the round's whole decrease."""
    if len(losses) < MIN_VALIDATIONS or losses[-1] > min(losses):
        return False
    return losses[-2] - losses[-1] >= 0.1 * (losses[0] - losses[-1]) > 0
