"""Work of ``tune_hparams``: propose points, train a short trial of each, repeat.

All files are under ``out_dir``: ``optuna_study.db``, ``best_config.json`` (the best so far, at any time), ``trial_N/``,
plots and ``report.html``. The study on disk is the whole state: after a kill the search continues with it, and running
trials are not interrupted.
"""

import logging
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.files.folders import make_folder
from jobs.files.reading import hash_file
from jobs.runner.call_text import call_text
from jobs.runner.worker.context import JobContext
from jobs.training.spec import KIND as TRAINING
from jobs.tune_hparams.dry_run import check_held_out
from jobs.tune_hparams.html_report import (
    BEST_CONFIG,
    PAGE,
    describe_values,
    first_point_trial,
    front_numbers,
    summary_lines,
    training_settings,
    write_best_config,
    write_page,
)
from jobs.tune_hparams.params import (
    SOURCE,
    Params,
    Result,
    build_trial_training,
    point_values,
    search_folder,
    study_path,
)
from jobs.tune_hparams.plots import HISTORY, draw_plots
from jobs.tune_hparams.stored_trials import unlocked_study
from jobs.tune_hparams.study import Study, count_ends, read_values
from jobs.tune_hparams.trials import TrialRunner, choose_texts

logger = logging.getLogger(__name__)

MAX_FIRST_FAILURES = 3  # after as many failures without a complete trial, the cause is not in the settings
# Parameters that may differ when a search is continued: its length, order and what it keeps.
NOT_IDENTITY = {"n_trials", "parallel", "first", "pruning", "keep_voices", "out_dir", "best_config", "sampler", "seed",
                "space", "gpu_memory_gb"}  # fmt: skip


def run(params: Params, context: JobContext) -> Result:
    """Search. See ``Params`` and ``Result``.

    Raises:
        UserError: ``nothing_held_out``, ``out_dir_taken``, ``study_locked``, ``trials_fail``, ``no_trial_fits``,
            ``no_trial_completed``.
    """
    with unlocked_study(study_path(params, context.folder)):
        return _search(params, context)


def _search(params: Params, context: JobContext) -> Result:
    folder, database = search_folder(params, context.folder), study_path(params, context.folder)
    make_folder(folder)
    data = _check_validation(params, context)
    study = Study(
        database, params.ranges, sampler=params.sampler, seed=params.seed, identity=_identity(params, data),
        compare_from_step=params.trial_steps // 3, objective=params.objective,
    )  # fmt: skip
    study.discard_incomplete()
    study.enqueue([point_values(point) for point in params.first], [str(p.get(SOURCE, "")) for p in params.first])
    trials = TrialRunner(params, context, study, folder, choose_texts(params))
    context.publish(database.name, database, "other")
    is_exhausted = False
    while True:
        while not is_exhausted and len(trials.jobs) < min(params.parallel, params.n_trials - len(study.finished)):
            context.raise_if_cancelled()
            proposed = study.ask(trials.find_obstacle)
            if proposed is None:
                is_exhausted = True
            else:
                logger.info("trial %d: %s", proposed.number, proposed.params)
                trials.start(proposed)
        if not trials.jobs:
            break
        _report_progress(params, context, study)
        ended = trials.wait()
        for number in ended:
            _log_trial(study, number)
        if ended:
            _update_best(params, study, trials, folder)
    return _write_results(params, context, study, trials, folder)


def _update_best(params: Params, study: Study, trials: TrialRunner, folder: Path) -> None:
    """Write the best settings so far and delete the weights of other trials; raise ``trials_fail``."""
    best = study.best
    if best is None:
        failed = [trial for trial in study.finished if trial.user_attrs["end"] == "failed"]
        if len(failed) >= MAX_FIRST_FAILURES:
            raise UserError(
                "trials_fail",
                f"The first {len(failed)} trials failed, the last with: {failed[-1].user_attrs['detail']}",
                f"Look at {call_text('get_job', {'job_id': failed[-1].user_attrs['job']})}; then call again, the "
                "search continues.",
            )
        return
    for path in [folder / BEST_CONFIG, *([Path(params.best_config)] if params.best_config else [])]:
        write_best_config(path, params, study)
    if not params.keep_voices:
        trials.delete_weights(best.number)


def _write_results(params: Params, context: JobContext, study: Study, trials: TrialRunner, folder: Path) -> Result:
    """Write and publish plots and report; raise ``no_trial_fits`` or ``no_trial_completed``."""
    best = study.best
    if best is None:
        ends = count_ends(study.finished)
        if set(ends) <= {"out_of_memory"}:
            raise UserError(
                "no_trial_fits",
                "No point of the search space fits into the memory of this machine.",
                "Give smaller ranges, or training={method: lora, batch_size: 1, gradient_checkpointing: true}.",
            )
        raise UserError(
            "no_trial_completed",
            f"No trial completed: {ends}.",
            "Look at the trials with list_jobs kind=training; a lower lr or pruning=false may help.",
        )
    _report_progress(params, context, study)
    plots = draw_plots(study, folder)
    lines = summary_lines(params, study)
    write_page(folder / PAGE, params, study, lines, plots)
    context.publish(BEST_CONFIG, folder / BEST_CONFIG, "report")
    context.publish(PAGE, folder / PAGE, "report")
    for name in plots:
        context.publish(f"{name}.png", folder / f"{name}.png", "plot")
        context.publish(f"{name}.html", folder / f"{name}.html", "report")
    context.publish(study.path.name, study.path, "other")
    first = first_point_trial(params, study)
    voice = trials.trial_folder(best.number) / "voice"
    values = read_values(best)
    assert values.loss is not None
    return Result(
        best_config=str(folder / BEST_CONFIG),
        hyperparameters=training_settings(params, best),
        validation_loss=values.loss,
        audio_score=values.score,
        best_trial=best.number,
        front=front_numbers(study),
        first_trial_loss=read_values(first).loss if first is not None else None,
        trials=count_ends(study.finished),
        manifest=params.manifest,
        voice=str(voice) if voice.is_dir() else None,
        study=str(study.path),
        report=str(folder / PAGE),
        plot=str(folder / f"{HISTORY}.png"),
        summary=lines,
    )


def _check_validation(params: Params, context: JobContext) -> dict[str, Any]:
    """Return the planned data of a trial, and check that clips are held out, on which a search compares losses."""
    values = {found.name: found.ends[0] for found in params.ranges}
    data: dict[str, Any] = TRAINING.make_plan(build_trial_training(params, values), context.settings)["data"]
    check_held_out(data, params.manifest)
    return data


def _identity(params: Params, data: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that must be equal for losses to be comparable."""
    identity = params.model_dump(mode="json", exclude=NOT_IDENTITY)
    identity["manifest"] = hash_file(Path(params.manifest))
    # earlier versions held out other clips of the same manifest
    return identity | {name: value for name, value in data.items() if name == "split"}


def _report_progress(params: Params, context: JobContext, study: Study) -> None:
    best, n_done = study.best, len(study.finished)
    metrics: dict[str, float] = {}
    last = max(study.complete_values, key=lambda trial: trial.number, default=None)
    for name, values in (("best", read_values(best) if best else None), ("trial", last)):
        if values is not None and values.loss is not None:
            metrics[f"{name}_loss"] = values.loss
        if values is not None and values.score is not None:
            metrics[f"{name}_score"] = values.score
    message = f"{n_done} of {params.n_trials} trials" + (f", best: {describe_values(best)}" if best else "")
    context.progress(min(n_done, params.n_trials), params.n_trials, message, **metrics)


def _log_trial(study: Study, number: int) -> None:
    trial = study.trials[number]
    detail = describe_values(trial) if trial.user_attrs["end"] == "complete" else trial.user_attrs["detail"]
    logger.info("trial %d: %s %s", number, trial.user_attrs["end"], detail)
