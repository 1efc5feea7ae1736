"""refine_voice's work: train, speak, rate, decide; keep the best round's voice.

Nothing is remembered but files and finished jobs: whoever starts again walks the same way and finds what was done.
"""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.dataset.manifest import check_step
from jobs.dataset.takes import read_takes
from jobs.errors import UserError
from jobs.files import write_json
from jobs.qwen.model_info import describe_model
from jobs.refine_voice.evaluations import RATINGS, read_ratings
from jobs.refine_voice.html_report import PAGE, write_page
from jobs.refine_voice.params import Params, Result, Round
from jobs.refine_voice.plots import LOSSES, RATED, draw_losses, draw_ratings
from jobs.refine_voice.policy import Heard, Way, best_of, decide, verdict_of
from jobs.refine_voice.rounds import Rounds, Trained
from jobs.refine_voice.significance import interval_of
from jobs.refine_voice.summary import ANCHORS, summary_of
from jobs.runner.worker.context import JobContext

logger = logging.getLogger(__name__)

FINAL, REPORT = "final_model", "report.json"
STEPS = 3  # of a round: train, speak, rate


@dataclass
class Done:
    """The rounds so far."""

    rounds: list[Round] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    trained: list[Trained] = field(default_factory=list)


def run(params: Params, context: JobContext) -> Result:
    """Refine a voice. See ``Params`` and ``Result``.

    Raises:
        UserError: ``round_failed`` with the reason of the job that failed.
    """
    folder = Path(params.out_dir) if params.out_dir else context.folder / "out"
    folder.mkdir(parents=True, exist_ok=True)
    rounds = Rounds(params, context, folder)
    rounds.total = STEPS * params.max_iterations
    hyperparams = rounds.search() if params.run_hyperparameter_search else params.hyperparams
    zero_shot = _zero_shot(params, rounds)
    clone = rounds.evaluation(0) if zero_shot else None
    done = Done()
    base, way = params.base_model, Way()
    while True:
        iteration = len(done.heard) + 1
        rounds.done = STEPS * len(done.heard)
        trained = rounds.train(iteration, base, way, hyperparams)
        rounds.done += 1
        rounds.speak(iteration, trained.voice)
        rounds.done += 1
        heard = rounds.rate(iteration, clone) if params.rating == "automatic" else rounds.listen(iteration)
        done.heard.append(heard)
        done.ways.append(way)
        done.trained.append(trained)
        step = decide(
            done.heard, done.ways, trained.learnt, threshold=params.quality_threshold,
            max_iterations=params.max_iterations, zero_shot=zero_shot,
        )  # fmt: skip
        done.rounds.append(_round(iteration, heard, trained.voice, step.why, rounds, trained))
        logger.info("iteration %d: %s", iteration, step.why)
        told = f"iteration {iteration}: {step.why}"
        context.progress(STEPS * len(done.heard), rounds.total, told, rating=heard.mean)
        if step.stops:
            break
        base = done.trained[best_of(done.heard)].voice if step.from_best else trained.voice
        way = step.way
    return _result(params, context, rounds, folder, zero_shot, done, hyperparams)


def _zero_shot(params: Params, rounds: Rounds) -> Heard | None:
    """What the base's clone of the narrator is worth, where there is one and instruments rate; none of a voice."""
    local = Path(params.base_model)
    is_base = describe_model(local).kind == "base" if local.is_absolute() else params.base_model.endswith("Base")
    if not params.zero_shot or params.rating != "automatic" or not is_base:
        return None
    reference = check_step(Path(params.manifest), "coded").ref_audio
    assert reference is not None
    rounds.speak(0, params.base_model, ref_audio=str(Path(params.manifest).parent / reference))
    return rounds.rate(0)


def _round(
    iteration: int, heard: Heard, voice: str, decision: str, rounds: Rounds, trained: Trained | None = None
) -> Round:
    low, high = interval_of(heard.scores)
    of_training = {} if trained is None else {
        "lr": trained.lr, "steps": trained.steps, "validation_loss": trained.validation_loss,
        "freeze": trained.learnt.freeze if trained.learnt.method == "full" else None,
    }  # fmt: skip
    return Round(
        iteration=iteration, rating=heard.shown, uncapped=heard.mean, low=low, high=high,
        n_takes=len(read_takes(rounds.evaluation(iteration))), stop_rate=heard.stop_rate,
        intelligibility=heard.intelligibility, similarity=heard.voice, voice=voice, decision=decision, **of_training,
    )  # fmt: skip


def _result(
    params: Params, context: JobContext, rounds: Rounds, folder: Path, zero_shot: Heard | None, done: Done,
    hyperparams: str | None,
) -> Result:  # fmt: skip
    place = best_of(done.heard)
    best, heard = done.rounds[place], done.heard[place]
    final = _copy(Path(best.voice), folder / FINAL)
    untrained = [_round(0, zero_shot, params.base_model, "the base's clone, untrained", rounds)] if zero_shot else []
    anchors = _anchors(rounds.evaluation(best.iteration), zero_shot)
    verdict = verdict_of(heard, zero_shot, threshold=params.quality_threshold)
    result = Result(
        voice=str(final),
        best_iteration=best.iteration,
        rating=best.rating,
        threshold_met=best.rating >= params.quality_threshold,
        verdict=verdict,
        summary=summary_of(verdict, best, done.rounds, anchors, rated_by=params.rating),
        rounds=[*untrained, *done.rounds],
        **{name: anchor["mean"] for name, anchor in anchors.items()},
        best_config=hyperparams,
        report=str(folder / PAGE),
    )
    write_json(
        folder / REPORT,
        {"params": params.model_dump(mode="json"), "result": result.model_dump(mode="json"), "anchors": anchors,
         "curves": {one.iteration: trained.curves for one, trained in zip(done.rounds, done.trained, strict=True)}},
    )  # fmt: skip
    draw_losses(folder / LOSSES, [trained.curves for trained in done.trained])
    draw_ratings(folder / RATED, result.rounds, anchors, params.quality_threshold)
    write_page(folder / PAGE, result, anchors)
    context.publish(FINAL, final, "voice")
    for name in (REPORT, PAGE):
        context.publish(name, folder / name, "report")
    for name in (LOSSES, RATED):
        context.publish(name, folder / name, "plot")
    return result


def _anchors(folder: Path, zero_shot: Heard | None) -> dict[str, dict[str, Any]]:
    """What the best round is held against: those that its own rating measured, by name; none where a person rated."""
    if not (folder / RATINGS).is_file():
        return {}
    found = read_ratings(folder)[1].get("anchors") or {}
    anchors = {name: found[name] for name in ANCHORS if found.get(name) is not None}
    if zero_shot is not None:  # by the very takes that the verdict compares
        low, high = interval_of(zero_shot.scores)
        n = sum(len(takes) for takes in zero_shot.scores.values())
        note = "the base's clone, untrained"
        anchors["zero_shot"] = {"mean": zero_shot.mean, "low": low, "high": high, "n": n, "note": note}
    return anchors


def _copy(voice: Path, final: Path) -> Path:
    """Put a voice in its final place, sharing the disk with the round that made it where the disk can."""
    if not (voice / "config.json").is_file():
        raise UserError("voice_missing", f"{voice} is not there any more.", "Call again with another out_dir.")
    temporary, old = final.with_name(f".{final.name}.partial"), final.with_name(f".{final.name}.old")
    for leftover in (temporary, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        shutil.copytree(voice, temporary, copy_function=os.link)
    except (OSError, shutil.Error):
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(voice, temporary)
    if final.exists():
        final.rename(old)
    temporary.rename(final)
    shutil.rmtree(old, ignore_errors=True)
    return final
