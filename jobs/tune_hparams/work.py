"""tune_hparams' work: propose, train for a while, learn from it, propose again.

Everything lies under ``out_dir``: ``optuna_study.db``, ``best_config.json`` (the best so far, at any time),
``trial_N/``, plots and ``report.html``. The study on disk is the state: the work may be killed at any instant and
started again; trials that run go on meanwhile.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.runner.worker.context import JobContext
from jobs.training.spec import KIND as TRAINING
from jobs.tune_hparams.html_report import PAGE, write_page
from jobs.tune_hparams.params import SOURCE, Params, Result, folder_of, study_of, training_of, values_of
from jobs.tune_hparams.plots import HISTORY, draw
from jobs.tune_hparams.study import Study, ends_of, worth_of
from jobs.tune_hparams.summary import (
    BEST_CONFIG,
    first_of,
    front_numbers,
    settings_of,
    summary_of,
    worth_in_words,
    write_best_config,
)
from jobs.tune_hparams.trials import Trials, sentences_of

logger = logging.getLogger(__name__)

MOST_FAILURES = 3  # of the first trials: the fault is not in the settings
# What may differ when a search goes on: how long, in which order, what is kept.
NOT_IDENTITY = {"n_trials", "parallel", "first", "pruning", "keep_voices", "out_dir", "best_config", "sampler", "seed",
                "space"}  # fmt: skip


def run(params: Params, context: JobContext) -> Result:
    """Search. See ``Params`` and ``Result``.

    Raises:
        UserError: ``nothing_held_out``, ``out_dir_taken``, ``trials_fail``, ``no_trial_fits``, ``no_trial_completed``.
    """
    folder, database = folder_of(params, context.folder), study_of(params, context.folder)
    folder.mkdir(parents=True, exist_ok=True)
    _check_validation(params, context)
    study = Study(
        database, params.ranges, sampler=params.sampler, seed=params.seed, identity=_identity(params),
        compare_from_step=params.trial_steps // 3, objective=params.objective,
    )  # fmt: skip
    study.abandon_half_proposed()
    study.enqueue([values_of(point) for point in params.first], [str(p.get(SOURCE, "")) for p in params.first])
    trials = Trials(params, context, study, folder, sentences_of(params))
    context.publish(database.name, database, "other")
    is_used_up = False
    while True:
        while not is_used_up and len(trials.jobs) < min(params.parallel, params.n_trials - len(study.counted)):
            context.raise_if_cancelled()
            proposed = study.ask(trials.why_not)
            if proposed is None:
                is_used_up = True
            else:
                logger.info("trial %d: %s", proposed.number, proposed.params)
                trials.start(proposed)
        if not trials.jobs:
            break
        _tell(params, context, study)
        ended = trials.wait()
        for number in ended:
            _log(study, number)
        if ended:
            _after_a_trial(params, study, trials, folder)
    return _result(params, context, study, trials, folder)


def _after_a_trial(params: Params, study: Study, trials: Trials, folder: Path) -> None:
    """Whoever looks, or starts a training now, has the best so far."""
    best = study.best
    if best is None:
        failed = [trial for trial in study.counted if trial.user_attrs["end"] == "failed"]
        if len(failed) >= MOST_FAILURES:
            raise UserError(
                "trials_fail",
                f"The first {len(failed)} trials failed, the last with: {failed[-1].user_attrs['detail']}",
                f"Look at get_job job_id={failed[-1].user_attrs['job']!r}; then call again, the search goes on.",
            )
        return
    for path in _configs(params, folder):
        write_best_config(path, params, study)
    if not params.keep_voices:
        trials.tidy(best.number)


def _result(params: Params, context: JobContext, study: Study, trials: Trials, folder: Path) -> Result:
    best = study.best
    if best is None:
        ends = ends_of(study.counted)
        if set(ends) <= {"out_of_memory"}:
            raise UserError(
                "no_trial_fits",
                "Nothing in the search space fits into the memory of this machine.",
                "Give smaller ranges, or training={method: lora, batch_size: 1, gradient_checkpointing: true}.",
            )
        raise UserError(
            "no_trial_completed",
            f"No trial came to its end: {ends}.",
            "Look at the trials with list_jobs kind=training; a lower lr or pruning=false may do.",
        )
    _tell(params, context, study)
    pictures = draw(study, folder)
    lines = summary_of(params, study)
    write_page(folder / PAGE, params, study, lines, pictures)
    context.publish(BEST_CONFIG, folder / BEST_CONFIG, "report")
    context.publish(PAGE, folder / PAGE, "report")
    for name in pictures:
        context.publish(f"{name}.png", folder / f"{name}.png", "plot")
        context.publish(f"{name}.html", folder / f"{name}.html", "report")
    context.publish(study.path.name, study.path, "other")
    first = first_of(params, study)
    voice = trials.folder_of(best.number) / "voice"
    worth = worth_of(best)
    assert worth.loss is not None
    return Result(
        best_config=str(folder / BEST_CONFIG),
        hyperparameters=settings_of(params, best),
        validation_loss=worth.loss,
        audio_score=worth.score,
        best_trial=best.number,
        front=front_numbers(study),
        first_trial_loss=worth_of(first).loss if first is not None else None,
        trials=ends_of(study.counted),
        manifest=params.manifest,
        voice=str(voice) if voice.is_dir() else None,
        study=str(study.path),
        report=str(folder / PAGE),
        plot=str(folder / f"{HISTORY}.png"),
        summary=lines,
    )


def _configs(params: Params, folder: Path) -> list[Path]:
    return [folder / BEST_CONFIG, *([Path(params.best_config)] if params.best_config else [])]


def _check_validation(params: Params, context: JobContext) -> None:
    """A search compares losses on clips that no trial learns."""
    values = {found.name: found.ends[0] for found in params.ranges}
    data = TRAINING.make_plan(training_of(params, values), context.settings)["data"]
    if not data.get("held_out"):
        raise UserError(
            "nothing_held_out",
            f"{params.manifest} holds out no clip, so trials cannot be compared.",
            "Give validation_chapters to ingest_audiobook, or a larger training.validation_share.",
        )


def _identity(params: Params) -> dict[str, Any]:
    """What makes losses comparable."""
    told = params.model_dump(mode="json", exclude=NOT_IDENTITY)
    told["manifest"] = hashlib.sha256(Path(params.manifest).read_bytes()).hexdigest()
    return told


def _tell(params: Params, context: JobContext, study: Study) -> None:
    best, n_done = study.best, len(study.counted)
    metrics: dict[str, float] = {}
    last = max(study.worths, key=lambda worth: worth.number, default=None)
    for name, worth in (("best", worth_of(best) if best else None), ("trial", last)):
        if worth is not None and worth.loss is not None:
            metrics[f"{name}_loss"] = worth.loss
        if worth is not None and worth.score is not None:
            metrics[f"{name}_score"] = worth.score
    told = f"{n_done} of {params.n_trials} trials" + (f", best: {worth_in_words(study, best)}" if best else "")
    context.progress(min(n_done, params.n_trials), params.n_trials, told, **metrics)


def _log(study: Study, number: int) -> None:
    trial = study.trials[number]
    told = worth_in_words(study, trial) if trial.user_attrs["end"] == "complete" else trial.user_attrs["detail"]
    logger.info("trial %d: %s %s", number, trial.user_attrs["end"], told)
