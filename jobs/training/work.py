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
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from jobs.errors import UserError
from jobs.files import write_json
from jobs.qwen.export import put_in_place, write_voice
from jobs.qwen.folder import read_config
from jobs.qwen.loading import resolve_model
from jobs.qwen.lora import save_adapter
from jobs.qwen.weights import weight_files
from jobs.runner.context import JobContext
from jobs.training import checkpoint as checkpoints
from jobs.training.clips import Dataset, read_dataset
from jobs.training.history import History, TensorBoardLog, plot
from jobs.training.loop import Training
from jobs.training.optimiser import make_optimiser, trainable
from jobs.training.prepare import Trainee, identify_run, load_trainee, make_plan, unfreeze
from jobs.training.report import report_of, voice_card
from jobs.training.spec import Params, Result

logger = logging.getLogger(__name__)

REPORT = "report.json"


def run(params: Params, context: JobContext) -> Result:
    """Train a voice. See ``Params`` and ``Result``.

    Raises:
        UserError: ``model_*``, ``manifest_*``, ``codes_*``, ``language_unknown``, ``train_split_empty``,
            ``several_speakers``, ``base_misaligned``, ``checkpoint_of_another_run``, ``training_diverged``,
            ``out_dir_taken``, ``cuda_oom``, ``disk_full``.
    """
    out = Path(params.out_dir) if params.out_dir else context.folder / "out"
    with _translated_errors(params, out):
        out.mkdir(parents=True, exist_ok=True)
        context.progress(0, None, "reading the manifest")
        base = resolve_model(params.base_model, context.settings)
        talker = read_config(base)["talker_config"]
        dataset = read_dataset(
            Path(params.manifest),
            speaker=params.speaker,
            languages=list(talker["codec_language_id"]),
            codebook_size=talker["code_predictor_config"]["vocab_size"],
        )
        identity = identify_run(params, dataset, base)
        result = _finished(out, identity) if params.resume else None
        if not params.resume:
            checkpoints.discard(out / "checkpoints")
        if result is None:
            result = _train(params, context, dataset, base, identity, out)
        _publish(result, context, out)
    return result


def _train(
    params: Params, context: JobContext, dataset: Dataset, base: Path, identity: dict[str, Any], out: Path
) -> Result:
    context.progress(0, None, "loading the base model")
    trainee = load_trainee(params, dataset, base)
    logger.info("base check: %s (%s)", trainee.verdict, trainee.found)
    adapters = unfreeze(trainee.model, params)
    plan = make_plan(params, len(trainee.train), identity, trainee.device)
    optimiser = make_optimiser(
        trainee.model, lr=plan.lr, weight_decay=params.weight_decay, use_8bit_adam=params.use_8bit_adam
    )
    _check_disk(out, trainee.model, base)
    training = Training(
        plan, trainee.model, trainee.ids, trainee.train, trainee.validation, optimiser, out / "checkpoints"
    )
    training.resume()
    logger.info(
        "%d clips, %d of %d steps done, %d weights learn",
        len(trainee.train), training.step, plan.total_steps, sum(p.numel() for p in training.parameters.values()),
    )  # fmt: skip
    with TensorBoardLog(out / "tensorboard", training.step) as log:
        training.run(context, log)
    context.progress(plan.total_steps, plan.total_steps, "writing the voice")
    return _export(params, dataset, base, identity, out, trainee, adapters, training.history)


def _export(
    params: Params,
    dataset: Dataset,
    base: Path,
    identity: dict[str, Any],
    out: Path,
    trainee: Trainee,
    adapters: Any | None,
    history: History,
) -> Result:
    """Write adapter, voice, plot and report; the report last, since it says that all the rest is there."""
    if adapters is not None:
        temporary = out / ".adapter.partial"
        shutil.rmtree(temporary, ignore_errors=True)
        save_adapter(adapters, temporary)
        put_in_place(temporary, out / "adapter")
    write_voice(
        trainee.model,
        base,
        out / "voice",
        speaker=dataset.speaker,
        embedding=trainee.embedding,
        card=voice_card(params, identity, dataset, base, trainee, history),
    )
    plot(history, out / "loss.png", f"{dataset.speaker}: {params.method}, {len(history.steps)} steps")
    result = Result(
        voice=str(out / "voice"),
        adapter=str(out / "adapter") if adapters is not None else None,
        speaker=dataset.speaker,
        steps=len(history.steps),
        first_loss=history.first_loss,
        last_loss=history.last_loss,
        validation_loss=history.validation_loss,
        n_clips=len(dataset.train),
        base_check=trainee.verdict,
        plot=str(out / "loss.png"),
        tensorboard=str(out / "tensorboard"),
    )
    write_json(out / REPORT, report_of(result, identity, trainee, history))
    checkpoints.discard(out / "checkpoints")  # the voice can be trained further; the run itself is over
    return result


def _publish(result: Result, context: JobContext, out: Path) -> None:
    context.publish("voice", Path(result.voice), "voice")
    if result.adapter is not None:
        context.publish("adapter", Path(result.adapter), "adapter")
    context.publish("loss.png", Path(result.plot), "plot")
    context.publish(REPORT, out / REPORT, "report")


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


def _check_disk(out: Path, model: torch.nn.Module, base: Path) -> None:
    """Refuse before the first step when checkpoints and export cannot fit."""
    n_trainable = sum(parameter.numel() for parameter in trainable(model).values())
    checkpoint_bytes = n_trainable * 4 * 3  # float32 weights and Adam's two moments
    export_bytes = sum(path.stat().st_size for path in weight_files(base))
    needed = checkpoint_bytes * (checkpoints.KEPT + 1) + export_bytes
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
        return "Use use_8bit_adam=true, then method=lora." if not params.use_8bit_adam else "Use method=lora."
    return "Leave out the longest clips, or train the 0.6B model."
