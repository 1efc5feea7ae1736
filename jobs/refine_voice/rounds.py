"""The jobs of a round: train, speak, rate. Found again by name, so that a loop that was killed goes on."""

from __future__ import annotations

import contextlib
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
from jobs.refine_voice.evaluations import (
    MEASURES,
    RATINGS,
    Said,
    heard_before,
    heard_of,
    link_takes,
    read_person,
    read_ratings,
    write_evaluation,
)
from jobs.refine_voice.params import Params, search_of
from jobs.refine_voice.policy import Freeze, Heard, Learnt, Way
from jobs.runner.job_kind import JobKind
from jobs.runner.models import JobRecord, Progress
from jobs.runner.worker.child_jobs import Children
from jobs.runner.worker.context import JobContext
from jobs.synthesize.params import Params as Synthesize
from jobs.synthesize.params import longest_take_s
from jobs.synthesize.spec import KIND as SYNTHESIZE
from jobs.training.params import Params as Training
from jobs.training.spec import KIND as TRAINING
from jobs.tune_hparams.params import Params as Tune
from jobs.tune_hparams.spec import KIND as TUNE

DEFAULT_LR = {"full": 5e-6, "lora": 1e-5}  # where neither the caller nor a search has said; start_training's own
LOOK_EVERY_S = 1.0
LONG = 1000  # epochs: max_steps ends a round
VALIDATIONS = 4  # within a round
LEAST_VALIDATIONS = 3  # fewer show no bend

Curve = list[tuple[float, float]]
"""Step and value."""


@dataclass(frozen=True)
class Trained:
    """A trained round."""

    voice: str
    lr: float | None
    steps: int
    validation_loss: float | None
    learnt: Learnt
    curves: dict[str, Curve]


class Rounds:
    """Starts a round's jobs one after the other."""

    def __init__(self, params: Params, context: JobContext, folder: Path) -> None:
        """Children are those of the context's job."""
        self._params, self._context, self._folder = params, context, folder
        self._children = Children(context)
        self.done, self.total = 0.0, 1.0  # of the loop's steps, for the progress

    def search(self) -> str:
        """Find settings; the path of best_config.json."""
        params = search_of(self._params, str(self._folder / "hyperparameter_search"))
        assert TUNE.suggest is not None
        suggested = TUNE.suggest(params, params.model_fields_set, self._context.settings)
        job = self._run("search", TUNE, Tune.model_validate({**params.model_dump(), **suggested}))
        assert job.result is not None
        return str(job.result["best_config"])

    def train(self, iteration: int, base: str, way: Way, hyperparams: str | None) -> Trained:
        """Train a round from a base or a voice."""
        given: dict[str, Any] = (
            {
                **self._params.training,
                "manifest": self._params.manifest,
                "base_model": base,
                "out_dir": str(self._folder / "checkpoints" / f"iteration_{iteration}"),
                "samples": 0,
                "seed": self._params.seed + iteration,
                **self._length(way),
            }
            | ({"hyperparams": hyperparams} if hyperparams else {})
            | ({"freeze": way.freeze} if way.freeze else {})
        )
        asked = Training.model_validate(given)
        assert TRAINING.suggest is not None
        params = asked.model_copy(update=TRAINING.suggest(asked, set(given), self._context.settings))
        lr = (params.lr or DEFAULT_LR[params.method]) * way.lr_factor
        often = {} if params.validate_every_steps else {"validate_every_steps": self._often(params)}
        params = Training.model_validate(params.model_dump() | {"lr": lr} | often)
        job = self._run(f"train-{iteration}", TRAINING, params)
        assert job.result is not None
        return trained_of(params, job.result, self._children.runner.history(job.job_id).points)

    def speak(self, iteration: int, model: str, **reference: str) -> None:
        """Say the texts: takes.jsonl and eval_NN.wav in the round's folder."""
        folder = self.evaluation(iteration)
        params = Synthesize(
            model=model, texts=self._params.texts, takes_per_text=self._params.takes_per_text, out_dir=str(folder),
            seed=self._params.seed, max_seconds=longest_take_s(self._params.texts), **reference,
        )  # fmt: skip
        self._run(f"speak-{iteration}", SYNTHESIZE, params)
        link_takes(folder)

    def rate(self, iteration: int, clone: Path | None = None) -> Heard:
        """Rate a round's takes by instruments.

        Args:
            iteration: the round.
            clone: folder of the untrained base's takes, to be rated beside them.
        """
        folder = self.evaluation(iteration)
        params = Rate(
            takes=str(folder / TAKES_NAME), narrator_manifest=self._params.manifest, out=str(folder / RATINGS),
            anchor_clips=self._params.anchor_clips, zero_shot_takes=str(clone / TAKES_NAME) if clone else None,
            measures=str(self._folder / "evaluations" / MEASURES),  # narrator and anchors are measured once
        )  # fmt: skip
        self._run(f"rate-{iteration}", RATE, params)
        said, report = read_ratings(folder)
        heard = heard_of(read_takes(folder), said, report["takes"])
        self._write(iteration, heard, said, "automatic")
        return heard

    def listen(self, iteration: int) -> Heard:
        """Wait for a person's scores of every take of a round; holds no slot that anything else needs."""
        folder = self.evaluation(iteration)
        before = heard_before(folder, self._context.job_id)
        if before is not None:
            return before
        while True:
            said, missing = read_person(folder)
            if not missing:
                heard = heard_of(read_takes(folder), said)
                self._write(iteration, heard, said, "person")
                return heard
            self._context.progress(
                self.done, self.total,
                f"iteration {iteration} waits for a person's scores of {len(missing)} takes: "
                f'rate_samples takes="{folder / TAKES_NAME}" scores=[{{"audio": "{missing[0]}", "score": 1..5}}, …]',
            )  # fmt: skip
            self._context.raise_if_cancelled()
            threading.Event().wait(LOOK_EVERY_S)

    def evaluation(self, iteration: int) -> Path:
        """Where a round's takes lie."""
        return self._folder / "evaluations" / f"iteration_{iteration}"

    def _length(self, way: Way) -> dict[str, Any]:
        if self._params.steps_per_iteration is None:
            return {"epochs": round(self._params.epochs_per_iteration * way.steps_factor)}
        return {"epochs": LONG, "max_steps": round(self._params.steps_per_iteration * way.steps_factor)}

    def _often(self, params: Training) -> int | None:
        """Validate a few times within a round, to see whether it still learns at its end."""
        assert TRAINING.plan is not None
        steps = TRAINING.plan(params, self._context.settings).get("settings", {}).get("optimizer_steps")
        return None if steps is None else max(1, steps // VALIDATIONS)

    def _write(self, iteration: int, heard: Heard, said: dict[str, Said], rated_by: str) -> None:
        write_evaluation(
            self.evaluation(iteration), iteration, heard, said,
            threshold=self._params.quality_threshold, rated_by=rated_by, job=self._context.job_id,
        )  # fmt: skip

    def _run(self, name: str, kind: JobKind, params: Strict) -> JobRecord:
        """Run a child to its end.

        Raises:
            UserError: ``round_failed`` with the child's own reason.
        """
        job = self._children.start(name, kind, params)
        [job] = self._children.wait([job.job_id], lambda record, progress: self._tell(name, record, progress))
        if job.state != "succeeded" or job.result is None:
            failure = job.failure
            told = f"{failure.code}: {failure.message}" if failure else f"{job.state} {job.reason or ''} {job.detail}"
            raise UserError(
                "round_failed",
                f"{name} ({job.job_id}): {told}".strip(),
                (failure.hint + " " if failure and failure.hint else "")
                + "Then call again: rounds that are done are kept.",
            )
        return job

    def _tell(self, name: str, record: JobRecord, progress: Progress | None) -> None:
        with contextlib.suppress(OSError):  # a progress line less is no reason to end the loop
            told = f": {progress.message}" if progress is not None and progress.message else ""
            self._context.progress(self.done, self.total, f"{name} {record.state}{told}")


def trained_of(params: Training, result: dict[str, Any], points: Sequence[Progress]) -> Trained:
    """What the end of a training means for the loop.

    Args:
        params: of the training.
        result: of its job.
        points: what it measured on the way.
    """
    curves = {
        name: [(point.done, point.metrics[name]) for point in points if name in point.metrics]
        for name in ("loss", "validation_loss")
    }
    # start_training's own choice where nobody chose
    freeze: Freeze = params.freeze or ("code_predictor" if result["base_check"] == "aligned" else "none")
    falling = still_falling([value for _, value in curves["validation_loss"]])
    return Trained(
        voice=result["voice"], lr=params.lr, steps=result["steps"], validation_loss=result["validation_loss"],
        learnt=Learnt(params.method, freeze if params.method == "full" else "none", falling), curves=curves,
    )  # fmt: skip


def still_falling(losses: Sequence[float]) -> bool:
    """The last stretch between two validations brought at least a tenth of the round's whole fall."""
    if len(losses) < LEAST_VALIDATIONS or losses[-1] > min(losses):
        return False
    return losses[-2] - losses[-1] >= 0.1 * (losses[0] - losses[-1]) > 0
