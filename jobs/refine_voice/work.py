"""Work of ``refine_voice``: train, speak, rate, decide, repeat; the voice of the best round is kept.

All state is in files and finished jobs. A restarted loop runs from the first round again, and finds each finished part.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.manifest import check_step
from jobs.dataset.takes import read_takes
from jobs.errors import UserError
from jobs.files.atomic_io import replacing_folder, write_json
from jobs.files.copying import link_tree
from jobs.files.folders import make_folder
from jobs.qwen.model_files import EXPORTED_FILES
from jobs.qwen.model_info import describe_model
from jobs.rating.confidence_interval import interval_by_difference
from jobs.rating.ratings_file import RATINGS_NAME
from jobs.refine_voice.evaluations import read_ratings
from jobs.refine_voice.html_report import ANCHORS, LOSSES, PAGE, RATED, summary_lines, write_page
from jobs.refine_voice.params import Params, Result, Round
from jobs.refine_voice.plots import draw_losses, draw_ratings
from jobs.refine_voice.policy import Adjustment, RoundRating, best_index, decide, describe_verdict
from jobs.refine_voice.rounds import RoundRunner, TrainedRound
from jobs.runner.worker.context import JobContext

logger = logging.getLogger(__name__)

FINAL, VOICE, REPORT = "final_model", "voice", "report.json"
STEPS_PER_ROUND = 3  # train, speak, rate
CLONE_NOTE = "the base's clone without training"


@dataclass
class CompletedRounds:
    """Rounds so far: lists of equal length, in order."""

    rounds: list[Round] = field(default_factory=list)
    ratings: list[RoundRating] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)
    trained: list[TrainedRound] = field(default_factory=list)


def run(params: Params, context: JobContext) -> Result:
    """Refine a voice. See ``Params`` and ``Result``.

    Raises:
        UserError: ``round_failed`` with the reason of the job that failed.
    """
    folder = Path(params.out_dir) if params.out_dir else context.folder / "out"
    make_folder(folder)
    runner = RoundRunner(params, context, folder)
    runner.total = STEPS_PER_ROUND * params.max_iterations
    hyperparams = runner.search() if params.run_hyperparameter_search else params.hyperparams
    zero_shot = _rate_zero_shot(params, runner, context)
    clone = runner.evaluation_folder(0) if zero_shot else None
    completed = CompletedRounds()
    base, adjustment = params.base_model, Adjustment()
    while True:
        iteration = len(completed.rounds) + 1
        runner.done = STEPS_PER_ROUND * (iteration - 1)
        trained = runner.train(iteration, base, adjustment, hyperparams)
        runner.done += 1
        runner.speak(iteration, trained.voice, speaker=trained.speaker)
        runner.done += 1
        is_automatic = params.rating == "automatic"
        rating = runner.rate(iteration, clone) if is_automatic else runner.wait_for_human_ratings(iteration)
        completed.ratings.append(rating)
        completed.adjustments.append(adjustment)
        completed.trained.append(trained)
        decision = decide(
            completed.ratings, completed.adjustments, trained.outcome, threshold=params.quality_threshold,
            max_iterations=params.max_iterations, zero_shot=zero_shot,
        )  # fmt: skip
        completed.rounds.append(_build_round(iteration, rating, trained.voice, decision.reason, runner, trained))
        message = f"iteration {iteration}: {decision.reason}"
        logger.info(message)
        context.progress(STEPS_PER_ROUND * iteration, runner.total, message, rating=rating.mean)
        if decision.stops:
            break
        base = completed.trained[best_index(completed.ratings)].voice if decision.from_best else trained.voice
        adjustment = decision.adjustment
    return _write_results(params, context, runner, folder, zero_shot, completed, hyperparams)


def _rate_zero_shot(params: Params, runner: RoundRunner, context: JobContext) -> RoundRating | None:
    """Rate the base's clone of the narrator; None for a trained voice, for human rating or if not requested."""
    local = Path(params.base_model)
    is_base = describe_model(local).kind == "base" if local.is_absolute() else params.base_model.endswith("Base")
    if not params.zero_shot or params.rating != "automatic" or not is_base:
        return None
    reference = check_step(Path(params.manifest), "coded").ref_audio
    assert reference is not None
    manifest = Path(params.manifest)
    runner.speak(
        0, params.base_model, ref_audio=str(AudioRoots.of(context.settings).find(manifest, manifest.parent, reference))
    )
    return runner.rate(0)


def _build_round(
    iteration: int,
    rating: RoundRating,
    voice: str,
    decision: str,
    runner: RoundRunner,
    trained: TrainedRound | None = None,
) -> Round:
    low, high = interval_by_difference(rating.scores)
    training = {} if trained is None else {
        "lr": trained.lr, "steps": trained.steps, "validation_loss": trained.validation_loss,
        "freeze": trained.outcome.freeze if trained.outcome.method == "full" else None,
    }  # fmt: skip
    return Round(
        iteration=iteration, rating=rating.shown, uncapped=rating.mean, low=low, high=high,
        n_takes=len(read_takes(runner.evaluation_folder(iteration))), stop_rate=rating.stop_rate,
        intelligibility=rating.intelligibility, similarity=rating.voice, voice=voice, decision=decision, **training,
    )  # fmt: skip


def _write_results(
    params: Params, context: JobContext, runner: RoundRunner, folder: Path, zero_shot: RoundRating | None,
    completed: CompletedRounds, hyperparams: str | None,
) -> Result:  # fmt: skip
    """Copy the best voice, write and publish reports and plots."""
    index = best_index(completed.ratings)
    best = completed.rounds[index]
    final = _copy_voice(Path(best.voice), folder / FINAL)
    if params.voice_dir:
        final = _copy_voice(final, make_folder(Path(params.voice_dir)) / VOICE)
    untrained = [_build_round(0, zero_shot, params.base_model, CLONE_NOTE, runner)] if zero_shot else []
    anchors = _read_anchors(runner.evaluation_folder(best.iteration), zero_shot)
    verdict = describe_verdict(completed.ratings[index], zero_shot, threshold=params.quality_threshold)
    result = Result(
        voice=str(final),
        best_iteration=best.iteration,
        rating=best.rating,
        threshold_met=best.rating >= params.quality_threshold,
        verdict=verdict,
        summary=summary_lines(verdict, best, completed.rounds, anchors, rated_by=params.rating),
        rounds=[*untrained, *completed.rounds],
        **{name: anchor["mean"] for name, anchor in anchors.items()},
        best_config=hyperparams,
        report=str(folder / PAGE),
    )
    curves = {number: trained.curves for number, trained in enumerate(completed.trained, 1)}
    write_json(
        folder / REPORT,
        {"params": params.model_dump(mode="json"), "result": result.model_dump(mode="json"), "anchors": anchors,
         "curves": curves},
    )  # fmt: skip
    draw_losses(folder / LOSSES, list(curves.values()))
    draw_ratings(folder / RATED, result.rounds, anchors, params.quality_threshold)
    write_page(folder / PAGE, result, anchors)
    context.publish(FINAL, final, "voice")
    for name in (REPORT, PAGE):
        context.publish(name, folder / name, "report")
    for name in (LOSSES, RATED):
        context.publish(name, folder / name, "plot")
    return result


def _read_anchors(folder: Path, zero_shot: RoundRating | None) -> dict[str, dict[str, Any]]:
    """Read the anchors that were rated with the best round, by name; none if a person rated."""
    if not (folder / RATINGS_NAME).is_file():
        return {}
    found = read_ratings(folder)[1].get("anchors") or {}
    anchors = {name: found[name] for name in ANCHORS if found.get(name) is not None}
    if zero_shot is not None:  # the same takes that the verdict compares
        low, high = interval_by_difference(zero_shot.scores)
        n = sum(len(takes) for takes in zero_shot.scores.values())
        anchors["zero_shot"] = {"mean": zero_shot.mean, "low": low, "high": high, "n": n, "note": CLONE_NOTE}
    return anchors


def _copy_voice(voice: Path, final: Path) -> Path:
    """Copy a voice to its final place, by hard links if the disk has them."""
    if not (voice / "config.json").is_file():
        raise UserError("voice_missing", f"{voice} does not exist any more.", "Call again with another out_dir.")
    with replacing_folder(final, EXPORTED_FILES) as temporary:
        link_tree(voice, temporary)
    return final
