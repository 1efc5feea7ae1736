"""start_training's work: a coded manifest and a base model become a voice.

Everything lies under ``out_dir``: ``voice/`` (the export), ``adapter/`` (LoRA), ``checkpoints/``, ``tensorboard/``,
``loss.png``, ``report.json``. The work may be killed at any instant and started again with the same parameters.
"""

from __future__ import annotations

import errno
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from jobs.errors import UserError
from jobs.atomic_io import write_json
from jobs.qwen.devices import keep_freed_memory
from jobs.qwen.export import replace_folder, write_base, write_voice
from jobs.qwen.hub import resolve_model
from jobs.qwen.model_files import CARD, read_config
from jobs.qwen.model_info import describe_model
from jobs.qwen.safetensors_io import weight_files
from jobs.qwen.train.lora import save_adapter
from jobs.runner.worker.context import JobContext
from jobs.training.data.dataset import Dataset, read_dataset
from jobs.training.data.manifest_scan import ClipSize
from jobs.training.params import Params, Result
from jobs.training.planning.disk import disk_needed
from jobs.training.planning.memory_fit import check_fits, available_memory
from jobs.training.planning.model_dims import ModelDims
from jobs.training.report.html_report import write_page
from jobs.training.report.model_card import report_of, voice_card
from jobs.training.run import checkpoint as checkpoints
from jobs.training.run.distributed import DistributedGroup
from jobs.training.run.eval_samples import ZERO_SHOT, choose, speak
from jobs.training.run.loss_history import LossHistory, TensorBoardLog, plot
from jobs.training.run.model_setup import TrainableModel, identify_run, setup_model, make_plan, unfreeze
from jobs.training.run.optim import make_optimiser, trainable
from jobs.training.run.training_loop import TrainingLoop, probe_row

logger = logging.getLogger(__name__)

REPORT, PAGE = "report.json", "report.html"
HISTORY_IN_REPORT = {"steps": "losses", "validations": "validation", "probes": "probes"}
REJECTED = "rejected_rows.jsonl"


def run(params: Params, context: JobContext) -> Result:
    """Train a voice. See ``Params`` and ``Result``.

    Raises:
        UserError: ``model_*``, ``manifest_*``, ``too_many_bad_rows``, ``train_split_empty``, ``several_speakers``,
             ``base_misaligned``, ``checkpoint_of_another_run``, ``training_diverged``,
            ``out_dir_taken``, ``memory_too_small``, ``cuda_oom``, ``disk_full``.
    """
    out = Path(params.out_dir) if params.out_dir else context.folder / "out"
    group = DistributedGroup.join(params.n_processes)
    if group.device == "cpu":
        keep_freed_memory()
    with _translated_errors(params, out):
        out.mkdir(parents=True, exist_ok=True)
        context.progress(0, None, "reading the manifest")
        base = resolve_model(params.base_model, context.settings)
        talker = read_config(base)["talker_config"]
        dataset = _read(params, talker, context, out, group)
        identity = identify_run(params, dataset, base)
        result = _finished(out, identity) if params.resume else None
        if result is None and group.is_first:
            _check_memory(params, context, dataset, base, group)
        group.barrier()  # all have looked before the first changes anything
        if not params.resume and group.is_first:
            checkpoints.discard(out / "checkpoints")
        if result is None:
            result = _train(params, context, dataset, base, identity, out, group)
        if group.is_first:
            _present(params, dataset, base, result, context, out)
            _publish(result, context, out)
    return result


def _read(params: Params, talker: dict[str, Any], context: JobContext, out: Path, group: DistributedGroup) -> Dataset:
    """Read the manifest; whatever comes of it, its bad lines can be looked at."""
    rejected = out / REJECTED if group.is_first else None
    try:
        return read_dataset(
            Path(params.manifest),
            speaker=params.speaker,
            languages=list(talker["codec_language_id"]),
            codebook_size=talker["code_predictor_config"]["vocab_size"],
            max_clip_s=params.max_clip_s,
            max_bad_share=params.max_bad_share,
            validation_share=params.validation_share,
            references=[Path(path) for path in params.references],
            n_speaker_clips=params.speaker_clips,
            rejected_to=rejected,
        )
    finally:
        if rejected is not None and rejected.is_file():
            context.publish(REJECTED, rejected, "report")


def _train(
    params: Params, context: JobContext, dataset: Dataset, base: Path, identity: dict[str, Any], out: Path, group: DistributedGroup
) -> Result:
    context.progress(0, None, "loading the base model")
    trainable_model = setup_model(params, dataset, base, group)
    logger.info("base check: %s (%s)", trainable_model.verdict, trainable_model.found)
    adapters = unfreeze(trainable_model, params)
    plan = make_plan(params, trainable_model, identity)
    optimiser = make_optimiser(trainable_model.model, lr=plan.lr, weight_decay=params.weight_decay, name=params.optimizer)
    _check_disk(out, trainable_model.model, base, params)
    training = TrainingLoop(
        plan, group, trainable_model.model, trainable_model.ids, trainable_model.train, trainable_model.validation, optimiser, out / "checkpoints"
    )
    training.history.probes.append(probe_row(0, trainable_model.found))
    training.resume()
    logger.info(
        "%d clips, %d of %d steps done, %d weights learn, %.1f %% of the positions are padding",
        len(trainable_model.train), training.step, plan.total_steps, sum(p.numel() for p in training.parameters.values()),
        0 if params.packing else 100 * plan.sampler.padding_share(),
    )  # fmt: skip
    with TensorBoardLog(out / "tensorboard", training.step) if group.is_first else nullcontext() as log:
        training.run(context, log)
    result = _result(params, dataset, out, trainable_model, training)
    if group.is_first:
        context.progress(training.step, plan.total_steps, "writing the voice")
        _export(params, dataset, base, identity, trainable_model, adapters, training, result, out)
    return result


def _result(params: Params, dataset: Dataset, out: Path, trainable_model: TrainableModel, training: TrainingLoop) -> Result:
    """What the run will have made when it is exported."""
    history = training.history
    best_step = int(history.best[0]) if history.best else training.step
    voice_step = training.step if params.export == "last" else best_step
    return Result(
        voice=str(out / "voice"),
        voice_last=str(out / "voice-last") if params.export == "both" and best_step != training.step else None,
        adapter=str(out / "adapter") if params.method == "lora" else None,
        base=str(out / "base") if params.export_base else None,
        speaker=dataset.speakers[0],
        speakers=dataset.speakers,
        steps=training.step,
        voice_step=voice_step,
        first_loss=history.first_loss,
        last_loss=history.last_loss,
        validation_loss=history.validation_loss_at(voice_step),
        n_clips=len(dataset.train),
        rejected=dataset.rejected,
        n_duplicates=dataset.n_duplicates,
        base_check=trainable_model.verdict,
        plot=str(out / "loss.png"),
        report=str(out / PAGE),
        tensorboard=str(out / "tensorboard"),
    )


def _export(
    params: Params,
    dataset: Dataset,
    base: Path,
    identity: dict[str, Any],
    trainable_model: TrainableModel,
    adapters: Any | None,
    training: TrainingLoop,
    result: Result,
    out: Path,
) -> None:
    """Write adapter, voices, plot and report; the report last, since it says that all the rest is there."""
    history = training.history

    def card(step: int) -> dict[str, Any]:
        return voice_card(params, identity, dataset, base, trainable_model, history, step)

    def write(path: str, step: int) -> None:
        write_voice(trainable_model.model, base, Path(path), voices=trainable_model.voices, card=card(step))

    if result.voice_last is not None:
        write(result.voice_last, training.step)
    if result.voice_step != training.step:
        checkpoints.load_best(training.folder, result.voice_step, training.parameters)
    if adapters is not None:
        temporary = out / ".adapter.partial"
        shutil.rmtree(temporary, ignore_errors=True)
        save_adapter(adapters, temporary)
        write_json(temporary / CARD, card(result.voice_step))
        replace_folder(temporary, out / "adapter")
    write(result.voice, result.voice_step)
    if result.base is not None:
        write_base(trainable_model.model, base, Path(result.base), card=card(result.voice_step))
    shutil.rmtree(out / "samples", ignore_errors=True)  # of another run
    plot(history, out / "loss.png", f"{result.speaker}: {params.method}, {training.step} steps")
    write_json(out / REPORT, report_of(result, identity, trainable_model, history))
    checkpoints.discard(out / "checkpoints")  # the voice can be trained further; the run itself is over


def _present(params: Params, dataset: Dataset, base: Path, result: Result, context: JobContext, out: Path) -> None:
    """Let base and voice speak the same sentences, and put the run on a page."""
    report = json.loads((out / REPORT).read_text(encoding="utf-8"))
    models = {"voice": Path(result.voice)}
    if result.voice_last is not None:
        models["voice-last"] = Path(result.voice_last)
    references = dataset.references[result.speaker]
    # a base of random weights has no speech to start from
    if describe_model(base).kind == "base" and result.base_check == "aligned" and references:
        models[ZERO_SHOT] = base
    samples = speak(
        choose(dataset, params.samples) if params.samples else [], models, speaker=result.speaker,
        reference=references[0] if references else None, out=out, context=context,
        n_steps=result.steps,
    )  # fmt: skip
    history = LossHistory(**{name: report[key]["rows"] for name, key in HISTORY_IN_REPORT.items()})
    write_page(out / PAGE, result, report["run"], history, samples)


def _publish(result: Result, context: JobContext, out: Path) -> None:
    context.publish("voice", Path(result.voice), "voice")
    if result.voice_last is not None:
        context.publish("voice-last", Path(result.voice_last), "voice")
    if result.adapter is not None:
        context.publish("adapter", Path(result.adapter), "adapter")
    context.publish("loss.png", Path(result.plot), "plot")
    if result.base is not None:
        context.publish("base", Path(result.base), "voice")
    context.publish(REPORT, out / REPORT, "report")
    context.publish(PAGE, out / PAGE, "report")


def _finished(out: Path, identity: dict[str, Any]) -> Result | None:
    """The result of the same run, if ``out`` already holds it whole.

    Raises:
        UserError: ``out_dir_taken`` when it holds the voice of another run.
    """
    try:
        report = json.loads((out / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not (out / "voice" / "config.json").is_file():
        return None
    if report.get("run") != identity:
        raise UserError(
            "out_dir_taken",
            f"{out} holds a finished voice of another run (speaker {report['result']['speaker']!r}, "
            f"{report['result']['steps']} steps).",
            "Give another out_dir, or resume=false to replace that voice.",
        )
    return Result.model_validate(report["result"])


def _check_memory(params: Params, context: JobContext, dataset: Dataset, base: Path, group: DistributedGroup) -> None:
    """Refuse before weights are loaded when they and a step cannot fit."""
    memory = available_memory(context.settings, group.size, on_cpu=group.device == "cpu")
    if memory is not None:
        clips = [ClipSize(len(clip.codes), len(clip.text)) for clip in dataset.train]
        found = check_fits(params, ModelDims.from_config(read_config(base)), clips, memory, is_running=True)
        logger.info("about %.2f GB of %.2f GB will be used: %s", found.peak / 1e9, memory.total / 1e9, memory.name)


def _check_disk(out: Path, model: torch.nn.Module, base: Path, params: Params) -> None:
    """Refuse before the first step when checkpoints and export cannot fit."""
    n_trained = sum(parameter.numel() for parameter in trainable(model).values())
    export_bytes = sum(path.stat().st_size for path in weight_files(base))
    needed = disk_needed(n_trained, export_bytes, n_exports=2 if params.export == "both" else 1)
    free = shutil.disk_usage(out).free
    if free < needed:
        raise UserError(
            "disk_full",
            f"{out} has {free / 1e9:.1f} GB free; checkpoints and export take {needed / 1e9:.1f} GB.",
            "Free space, give an out_dir on another disk, or use method=lora, whose checkpoints are small.",
        )


@contextmanager
def _translated_errors(params: Params, out: Path) -> Iterator[None]:
    """Turn a full GPU and a full disk into errors that say what to change."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        peak = torch.cuda.max_memory_allocated() / 2**30
        total = torch.cuda.get_device_properties(0).total_memory / 2**30
        raise UserError(
            "cuda_oom",
            f"The GPU's {total:.1f} GiB are full (peak {peak:.1f} GiB) at batch_size {params.batch_size}, "
            f"method {params.method}.",
            _cheaper(params) + " Checkpoints are intact; a run with other parameters needs another out_dir.",
        ) from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise UserError(
            "disk_full",
            f"No space left while writing to {out}.",
            "Free space and start again with the same parameters: the run continues from its last checkpoint.",
        ) from error


def _cheaper(params: Params) -> str:
    """The next settings to lower, cheapest first."""
    if params.batch_size > 1:
        half = params.batch_size // 2
        return (
            f"Use batch_size={half} with gradient_accumulation_steps={params.gradient_accumulation_steps * 2}: "
            "the same training in half the activations."
        )
    if not params.gradient_checkpointing:
        return "Use gradient_checkpointing=true."
    if params.method == "full":
        return "Use optimizer=adamw_8bit, then method=lora." if params.optimizer == "adamw" else "Use method=lora."
    return "Leave out the longest clips, or train the 0.6B model."
