"""Files that a finished run leaves in its folder: voices, adapter, base, plot, reports and evaluation samples."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.files.atomic_io import replacing_folder, write_json
from jobs.files.json_documents import read_object
from jobs.files.own_files import remove_own
from jobs.qwen.export import write_base, write_voice
from jobs.qwen.model_files import CARD, EXPORTED_FILES
from jobs.qwen.model_info import describe_model
from jobs.qwen.speaker_embedding import has_speaker_encoder
from jobs.qwen.train.lora import save_adapter
from jobs.runner.worker.context import JobContext
from jobs.training.data.dataset import Dataset
from jobs.training.extension import describe_schedule, has_other_length, kept_step, list_steps, nothing_to_extend
from jobs.training.loss_history import LossHistory
from jobs.training.params import KeptExport, Params, Result
from jobs.training.report.html_report import write_page
from jobs.training.report.loss_plot import plot_losses
from jobs.training.report.model_card import build_report, describe_kept, preset_speakers, voice_card
from jobs.training.run import checkpoint as checkpoints
from jobs.training.run.eval_samples import choose_clips, synthesize_samples
from jobs.training.run.model_setup import TrainableModel
from jobs.training.run.training_loop import TrainingLoop
from jobs.training.run.verdict import describe_end
from jobs.training.sample_list import SAMPLE_FILES, SAMPLES, ZERO_SHOT

REPORT, PAGE, EXPORTS = "report.json", "report.html", "exports"
KEPT_EXPORTS = re.compile(rf"step-\d{{6,}}/(?:{EXPORTED_FILES.pattern})")
"""Paths of the files in the folder of voices that are kept on the way."""
HISTORY_IN_REPORT = {"steps": "losses", "validations": "validation", "probes": "probes"}


# Where a run's files are in its folder, by field of the result.
FILES = {
    "voice": "voice", "voice_last": "voice-last", "voice_ema": "voice-ema", "adapter": "adapter", "base": "base",
    "plot": "loss.png", "report": PAGE, "tensorboard": "tensorboard",
}  # fmt: skip
REPORT_BYTES = 500_000_000  # a row of losses for each step


@dataclass(frozen=True)
class _Report:
    run: Any
    result: Result
    history: LossHistory


@dataclass(frozen=True)
class Run:
    """Inputs of a run. ``encoder`` is the folder of the model with the speaker encoder; None: the base's own."""

    params: Params
    dataset: Dataset
    base: Path
    identity: dict[str, Any]
    out: Path
    encoder: Path | None = None


def find_finished(out: Path, identity: dict[str, Any]) -> Result | None:
    """Read the result of the same run, if ``out`` holds all of its files.

    Raises:
        UserError: ``out_dir_taken``: it holds the voice of another run; ``nothing_to_extend``: of this one, with
            another number of steps, and its state is gone.
    """
    report = _read_report(out)
    if report is None or not (out / "voice" / "config.json").is_file():
        return None
    if isinstance(report.run, dict) and has_other_length(report.run, identity):
        if kept_step(out) is None:
            raise nothing_to_extend(f"{out} holds a finished run of {report.result.steps} steps", str(out / "voice"))
        return None
    if report.run != identity:
        raise UserError(
            "out_dir_taken",
            f"{out} holds a finished voice of another run (speaker {report.result.speaker[:100]!r}, "
            f"{report.result.steps} steps).",
            "Give another out_dir, or resume=false to replace that voice.",
        )
    return report.result


def _read_report(out: Path) -> _Report | None:
    """Read ``report.json``; None when there is none, or none of a run. Paths are those of ``out``."""
    try:
        read = read_object(out / REPORT, REPORT_BYTES)
        rows = {name: read[key]["rows"] for name, key in HISTORY_IN_REPORT.items()}
        result = Result.model_validate(read["result"])
        history = LossHistory.from_rows(rows)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    paths = {name: str(out / file) for name, file in FILES.items() if getattr(result, name) is not None}
    kept = [one.model_copy(update={"voice": str(export_folder(out, one.step))}) for one in result.exports]
    return _Report(read.get("run"), result.model_copy(update={**paths, "exports": kept}), history)


def describe_result(run: Run, model: TrainableModel, loop: TrainingLoop) -> Result:
    """Build the result of a run whose loop has ended; ``export`` writes the files that it names.

    All processes of a run call it, because they score the averaged weights together.
    """
    params, dataset, out, history = run.params, run.dataset, run.out, loop.history
    best_step = int(history.best[0]) if history.best else loop.step
    voice_step = loop.step if params.export == "last" else best_step
    return Result(
        voice=str(out / "voice"),
        voice_last=str(out / "voice-last") if params.export == "both" and best_step != loop.step else None,
        voice_ema=None if loop.average is None else str(out / "voice-ema"),
        ema_validation_loss=loop.score_average(),
        adapter=str(out / "adapter") if params.method == "lora" else None,
        base=str(out / "base") if params.export_base else None,
        speaker=dataset.speakers[0],
        speakers=dataset.speakers,
        steps=loop.step,
        ended=describe_end(
            history, loop.step, loop.config.total_steps, loop.extended_at, max_steps=loop.params.max_steps
        ),
        schedule=describe_schedule(
            params.lr_schedule, loop.config.warmup_steps, loop.config.total_steps, loop.extended_at, params.min_lr_share
        ),
        exports=list_exports(out, history),
        voice_step=voice_step,
        first_loss=history.first_loss,
        last_loss=history.last_loss,
        validation_loss=history.validation_loss_at(voice_step),
        n_clips=len(dataset.train),
        rejected=dataset.rejected,
        n_duplicates=dataset.n_duplicates,
        base_check=model.base_check,
        keeps=describe_kept(run.base, dataset, _describe_encoder(run)),
        plot=str(out / "loss.png"),
        report=str(out / PAGE),
        tensorboard=str(out / "tensorboard"),
    )


def _describe_encoder(run: Run) -> str:
    if run.encoder is None:
        return "the base's own" if has_speaker_encoder(run.base) else "none"
    return f"of {run.params.encoder_from or 'the released Base of its size'}"


def export(run: Run, model: TrainableModel, loop: TrainingLoop, result: Result) -> None:
    """Write adapter, voices, base and plot, and ``report.json`` last, because it marks the run as finished.

    All processes call it, because they may have to gather the weights; the first one writes.
    """
    history, out, base = loop.history, run.out, run.base

    def card(step: int) -> dict[str, Any]:
        return _build_card(run, model, history, step)

    if result.voice_last is not None:
        _write_voice(run, model, loop, card(loop.step), Path(result.voice_last))
    if result.voice_ema is not None and loop.average is not None:
        averaged = card(loop.step) | {"ema_decay": run.params.ema_decay, "validation_loss": result.ema_validation_loss}
        with loop.average.applied():
            _write_voice(run, model, loop, averaged, Path(result.voice_ema))
    if result.voice_step != loop.step:
        checkpoints.load_best(loop.folder, result.voice_step, loop.weights.own, loop.weights.take)
    _write_voice(run, model, loop, card(result.voice_step), Path(result.voice))
    trained = loop.weights.gather()
    if not loop.group.is_first:
        return
    if model.adapters is not None:
        with replacing_folder(out / "adapter", EXPORTED_FILES) as folder:
            save_adapter(model.adapters, folder)
            write_json(folder / CARD, card(result.voice_step))
    if result.base is not None:
        write_base(
            model.model, base, Path(result.base),
            card=card(result.voice_step), encoder_folder=run.encoder, trained=trained,
        )  # fmt: skip
    remove_own(out / SAMPLES, SAMPLE_FILES)  # of another run
    plot_losses(history, out / "loss.png", f"{result.speaker}: {run.params.method}, {loop.step} steps")
    write_json(out / REPORT, build_report(result, run.identity, model.base_report, history))
    if run.params.keep_last_state:
        checkpoints.keep_newest(loop.folder)
    else:
        checkpoints.discard(loop.folder)  # the voice can be trained further; this run is finished


def keep_export(run: Run, model: TrainableModel, loop: TrainingLoop, step: int) -> None:
    """Write the voice of a step on the way; all processes call it."""
    card = _build_card(run, model, loop.history, step)
    _write_voice(run, model, loop, card, export_folder(run.out, step))


def export_folder(out: Path, step: int) -> Path:
    """Return the folder of the voice of a step."""
    return out / EXPORTS / f"step-{step:06d}"


def list_exports(out: Path, history: LossHistory) -> list[KeptExport]:
    """List the voices kept on the way, in the order of their steps."""
    return [
        KeptExport(step=step, voice=str(path), validation_loss=history.validation_loss_at(step))
        for step, path in list_steps(out / EXPORTS)
        if (path / "config.json").is_file()
    ]


def _write_voice(run: Run, model: TrainableModel, loop: TrainingLoop, card: dict[str, Any], folder: Path) -> None:
    trained = loop.weights.gather()
    if loop.group.is_first:
        write_voice(
            model.model, run.base, folder,
            voices=model.voices, card=card, encoder_folder=run.encoder, trained=trained,
        )  # fmt: skip


def _build_card(run: Run, model: TrainableModel, history: LossHistory, step: int) -> dict[str, Any]:
    made = voice_card(run.params, run.identity, run.dataset, run.base, model.base_report, history, step)
    kept = describe_kept(run.base, run.dataset, _describe_encoder(run))
    return made | {"keeps": kept, "preset_speakers": preset_speakers(run.base, run.dataset)}


def write_samples_and_page(run: Run, result: Result, context: JobContext) -> None:
    """Synthesize the same sentences with base and voice, and write ``report.html``."""
    params, dataset, out = run.params, run.dataset, run.out
    report = _read_report(out)
    if report is None:
        raise UserError("out_dir_taken", f"{out / REPORT} was changed during the run.", "Give another out_dir.")
    models = {"voice": Path(result.voice)}
    if result.voice_last is not None:
        models["voice-last"] = Path(result.voice_last)
    if result.voice_ema is not None:
        models["voice-ema"] = Path(result.voice_ema)
    models |= {f"step-{one.step}": Path(one.voice) for one in result.exports}
    references = dataset.references[result.speaker]
    # a base with random weights cannot speak
    if describe_model(run.base).kind == "base" and result.base_check == "aligned" and references:
        models[ZERO_SHOT] = run.base
    samples = synthesize_samples(
        choose_clips(dataset, params.samples) if params.samples else [], models, speaker=result.speaker,
        reference=references[0] if references else None, out=out, context=context, n_steps=result.steps,
    )  # fmt: skip
    write_page(out / PAGE, result, report.run, report.history, samples)


def publish(result: Result, context: JobContext, out: Path) -> None:
    """Publish the files of a run as artifacts of its job."""
    context.publish("voice", Path(result.voice), "voice")
    if result.voice_last is not None:
        context.publish("voice-last", Path(result.voice_last), "voice")
    if result.voice_ema is not None:
        context.publish("voice-ema", Path(result.voice_ema), "voice")
    for one in result.exports:
        context.publish(f"voice-{one.step}", Path(one.voice), "voice")
    if result.adapter is not None:
        context.publish("adapter", Path(result.adapter), "adapter")
    context.publish("loss.png", Path(result.plot), "plot")
    if result.base is not None:
        context.publish("base", Path(result.base), "voice")
    context.publish(REPORT, out / REPORT, "report")
    context.publish(PAGE, out / PAGE, "report")
