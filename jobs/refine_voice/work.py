"""refine_voice's work: train, speak, rate, decide; keep the best round's voice.

Nothing is remembered but files and finished jobs: whoever starts again walks the same way and finds what was done.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from jobs.errors import UserError
from jobs.files import write_json
from jobs.qwen.voice_model import describe_model
from jobs.refine_voice.decide import best_of, decide, verdict_of
from jobs.refine_voice.report import write_page
from jobs.refine_voice.rounds import Rounds
from jobs.refine_voice.spec import Params, Result, Round
from jobs.runner.context import JobContext
from jobs.speech.manifest import check_step

logger = logging.getLogger(__name__)

FINAL, REPORT, PAGE = "final_model", "report.json", "report.html"
STEPS = 3  # of a round: train, speak, rate


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
    done: list[Round] = []
    zero_shot = _zero_shot(params, rounds)
    base, lr_factor = params.base_model, 1.0
    while True:
        iteration = len(done) + 1
        rounds.done = STEPS * len(done)
        training, trained = rounds.train(iteration, base, lr_factor, hyperparams)
        rounds.done += 1
        rounds.speak(iteration, trained["voice"])
        rounds.done += 1
        automatic = params.rating == "automatic"
        rating = rounds.rate(iteration) if automatic else rounds.listen(iteration, rounds.done, rounds.total)
        ratings = [*(one.rating for one in done), rating]
        step = decide(ratings, lr_factor, threshold=params.quality_threshold, max_iterations=params.max_iterations)
        done.append(
            Round(iteration=iteration, rating=rating, voice=trained["voice"], lr=training.lr,
                  validation_loss=trained["validation_loss"], decision=step.why)
        )  # fmt: skip
        logger.info("iteration %d: %s", iteration, step.why)
        context.progress(STEPS * len(done), rounds.total, f"iteration {iteration}: {step.why}", rating=rating)
        if step.stops:
            break
        base = done[best_of(ratings)].voice if step.from_best else trained["voice"]
        lr_factor = step.lr_factor
    return _result(params, context, folder, zero_shot, done, hyperparams)


def _zero_shot(params: Params, rounds: Rounds) -> Round | None:
    """What the base's clone of the narrator is worth, where there is one and instruments rate; none of a toy."""
    local = Path(params.base_model)
    is_base = describe_model(local).kind == "base" if local.is_absolute() else params.base_model.endswith("Base")
    if not params.zero_shot or params.rating != "automatic" or not is_base:
        return None
    reference = check_step(Path(params.manifest), "coded").ref_audio
    assert reference is not None
    rounds.speak(0, params.base_model, ref_audio=str(Path(params.manifest).parent / reference))
    return Round(iteration=0, rating=rounds.rate(0), voice=params.base_model, decision="the base's clone, untrained")


def _result(
    params: Params,
    context: JobContext,
    folder: Path,
    zero_shot: Round | None,
    done: list[Round],
    hyperparams: str | None,
) -> Result:
    best = done[best_of([one.rating for one in done])]
    met = best.rating >= params.quality_threshold
    final = _copy(Path(best.voice), folder / FINAL)
    result = Result(
        voice=str(final),
        best_iteration=best.iteration,
        rating=best.rating,
        threshold_met=met,
        verdict=verdict_of(
            best.rating, zero_shot.rating if zero_shot else None, met=met, threshold=params.quality_threshold
        ),
        rounds=[*([zero_shot] if zero_shot else []), *done],
        best_config=hyperparams,
        report=str(folder / PAGE),
    )
    write_json(folder / REPORT, {"params": params.model_dump(mode="json"), "result": result.model_dump(mode="json")})
    write_page(folder / PAGE, result)
    context.publish(FINAL, final, "voice")
    context.publish(REPORT, folder / REPORT, "report")
    context.publish(PAGE, folder / PAGE, "report")
    return result


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
