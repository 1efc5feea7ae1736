"""The jobs of a round: train, speak, rate. Found again by name, so that a loop that was killed goes on."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path
from statistics import fmean
from typing import Any

from jobs.errors import UserError
from jobs.fields import Strict
from jobs.files import write_json
from jobs.rate_samples.spec import KIND as RATE
from jobs.rate_samples.spec import Params as Rate
from jobs.refine_voice.spec import Params
from jobs.runner.children import Children
from jobs.runner.context import JobContext
from jobs.runner.kind import JobKind
from jobs.runner.records import JobRecord, Progress
from jobs.speech.manifest import read_rows
from jobs.speech.opinions import read_opinions
from jobs.synthesize.spec import KIND as SYNTHESIZE
from jobs.synthesize.spec import Params as Synthesize
from jobs.synthesize.spec import Take
from jobs.training.spec import KIND as TRAINING
from jobs.training.spec import Params as Training
from jobs.tune_hparams.spec import KIND as TUNE
from jobs.tune_hparams.spec import Params as Tune

DEFAULT_LR = {"full": 5e-6, "lora": 1e-5}  # where neither the caller nor a search has said; start_training's own
LOOK_EVERY_S = 1.0
LONGEST_TAKE_S = 30.0
EVALUATION = "evaluation.json"


class Rounds:
    """Starts a round's jobs one after the other."""

    def __init__(self, params: Params, context: JobContext, folder: Path) -> None:
        """Children are those of the context's job."""
        self._params, self._context, self._folder = params, context, folder
        self._children = Children(context)
        self.done, self.total = 0.0, 1.0  # of the loop's steps, for the progress

    def search(self) -> str:
        """Find settings; the path of best_config.json."""
        params = Tune(
            manifest=self._params.manifest,
            base_model=self._params.base_model,
            out_dir=str(self._folder / "hyperparameter_search"),
            n_trials=self._params.hp_trials,
            trial_steps=self._params.hp_steps,
            training=self._params.training,
            seed=self._params.seed,
        )
        assert TUNE.suggest is not None
        suggested = TUNE.suggest(params, params.model_fields_set, self._context.settings)
        return str(self._run("search", TUNE, Tune.model_validate({**params.model_dump(), **suggested}))["best_config"])

    def train(self, iteration: int, base: str, lr_factor: float, hyperparams: str | None) -> tuple[Training, Any]:
        """Train a round: its parameters and its result."""
        given: dict[str, Any] = {
            **self._params.training,
            "manifest": self._params.manifest,
            "base_model": base,
            "out_dir": str(self._folder / "checkpoints" / f"iteration_{iteration}"),
            "samples": 0,
            "epochs": self._params.epochs_per_iteration if self._params.steps_per_iteration is None else 1000,
            "max_steps": self._params.steps_per_iteration,
            "seed": self._params.seed + iteration,
        } | ({"hyperparams": hyperparams} if hyperparams else {})
        asked = Training.model_validate(given)
        assert TRAINING.suggest is not None
        params = asked.model_copy(update=TRAINING.suggest(asked, set(given), self._context.settings))
        lr = (params.lr or DEFAULT_LR[params.method]) * lr_factor
        params = Training.model_validate(params.model_dump() | {"lr": lr})
        return params, self._run(f"train-{iteration}", TRAINING, params)

    def speak(self, iteration: int, model: str, **reference: str) -> Path:
        """Say the texts; the folder with takes.jsonl and eval_NN.wav."""
        folder = self.evaluation(iteration)
        params = Synthesize(
            model=model, texts=self._params.texts, out_dir=str(folder), seed=self._params.seed,
            max_seconds=LONGEST_TAKE_S, **reference,
        )  # fmt: skip
        self._run(f"speak-{iteration}", SYNTHESIZE, params)
        for number, take in enumerate(read_rows(folder / "takes.jsonl", Take)):
            link = folder / f"eval_{number:02d}.wav"
            temporary = folder / f".{link.name}.partial"
            temporary.unlink(missing_ok=True)
            try:
                os.link(folder / take.audio, temporary)
            except OSError:  # a disk without hard links
                temporary.write_bytes((folder / take.audio).read_bytes())
            temporary.rename(link)
        return folder

    def rate(self, iteration: int) -> float:
        """Rate a round's takes by instruments, write evaluation.json; the mean of 1 to 5."""
        folder = self.evaluation(iteration)
        out = folder / "ratings.json"
        params = Rate(
            takes=str(folder / "takes.jsonl"),
            narrator_manifest=self._params.manifest,
            out=str(out),
            measures=str(self._folder / "evaluations" / "rating_measures.jsonl"),  # the narrator is measured once
        )
        self._run(f"rate-{iteration}", RATE, params)
        found = {take["audio"]: take for take in _read_json(out)["takes"]}
        return self._evaluate(
            iteration, "automatic", {audio: (take["rating"], take["reasons"]) for audio, take in found.items()}
        )

    def listen(self, iteration: int, done: float, total: float) -> float:
        """Wait for a person's scores of every take of a round; holds no slot that anything else needs."""
        folder = self.evaluation(iteration)
        takes = [take.audio for take in read_rows(folder / "takes.jsonl", Take)]
        while True:
            scores: dict[str, tuple[float, list[str]]] = {}
            for row in read_opinions(folder).scores:  # a later one replaces an earlier one
                scores[row.audio] = (float(row.score), [row.note] if row.note else [])
            missing = [audio for audio in takes if audio not in scores]
            if not missing:
                return self._evaluate(iteration, "person", {audio: scores[audio] for audio in takes})
            self._context.progress(
                done, total,
                f"iteration {iteration} waits for a person's scores of {len(missing)} takes: "
                f'rate_samples takes="{folder / "takes.jsonl"}" scores=[{{"audio": "{missing[0]}", "score": 1..5}}, …]',
            )  # fmt: skip
            self._context.raise_if_cancelled()
            threading.Event().wait(LOOK_EVERY_S)

    def evaluation(self, iteration: int) -> Path:
        """Where a round's takes lie."""
        return self._folder / "evaluations" / f"iteration_{iteration}"

    def _evaluate(self, iteration: int, rated_by: str, scores: dict[str, tuple[float, list[str]]]) -> float:
        folder = self.evaluation(iteration)
        takes = list(read_rows(folder / "takes.jsonl", Take))
        mean = round(fmean(scores[take.audio][0] for take in takes), 3)
        samples = [
            {"phrase": take.text, "audio": f"eval_{number:02d}.wav", "rating": scores[take.audio][0],
             "reasons": scores[take.audio][1], "duration_s": take.duration_s, "hit_limit": take.hit_limit}
            for number, take in enumerate(takes)
        ]  # fmt: skip
        write_json(
            folder / EVALUATION,
            {"iteration": iteration, "average_rating": mean, "quality_threshold": self._params.quality_threshold,
             "rated_by": rated_by, "samples": samples},
        )  # fmt: skip
        return mean

    def _run(self, name: str, kind: JobKind, params: Strict) -> dict[str, Any]:
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
        return job.result

    def _tell(self, name: str, record: JobRecord, progress: Progress | None) -> None:
        with contextlib.suppress(OSError):  # a progress line less is no reason to end the loop
            told = f": {progress.message}" if progress is not None and progress.message else ""
            self._context.progress(self.done, self.total, f"{name} {record.state}{told}")


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
