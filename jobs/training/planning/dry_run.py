"""Dry run: settings, data, memory, disk and time of a run, without starting it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.codec_format import FRAMES_PER_SECOND
from jobs.dataset.split import SPLIT_RULE
from jobs.qwen.model_files import is_of_toy
from jobs.qwen.precision import DeviceInfo, training_precision
from jobs.settings import Settings
from jobs.training.data.batch_sampler import LengthBatchSampler
from jobs.training.data.manifest_scan import ClipSize, ManifestScan, ScannedClip, divide, scan_manifest, voice_name
from jobs.training.data.sample_weights import weigh_clips
from jobs.training.extension import describe_decay, find_source, kept_step
from jobs.training.params import TOY_LIMITS, Params
from jobs.training.planning.cheaper_settings import cheapest_change, check_fits
from jobs.training.planning.disk import plan_disk, round_gb
from jobs.training.planning.encoder_plan import plan_encoder
from jobs.training.planning.memory import Device
from jobs.training.planning.memory_fit import (
    LONG_CLIP_S,
    MemoryBudget,
    assumed_clips,
    estimate_run_memory,
    find_model_dims,
    memory_to_plan_with,
)
from jobs.training.planning.model_dims import ModelDims
from jobs.training.planning.run_config import RunConfig, make_sampler, resolve_run_config
from jobs.training.planning.throughput_estimate import estimate_throughput
from jobs.training.planning.validation_times import count_exports, describe_validation

USUAL_CLIP_S = 8.0  # of an ingest, where the clips are not there yet
START_S = 10.0  # of the worker, its libraries and its models
MOST_LISTED = 5


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """Plan a run on this machine, or for the GPU that the call names; a small JSON object.

    Raises:
        UserError: ``memory_too_small``: the run does not fit the GPU that the call names.
    """
    found = scan_manifest(Path(params.manifest))
    kept = [clip for clip in found.clips if clip.size.seconds <= params.max_clip_s]
    train, validation = divide(kept, params.validation_share)
    data = _plan_data(found, train, validation)
    if not train:
        return {"data": data}
    clips = [clip.size for clip in train]
    weights = _weigh(params, train)
    sampler = make_sampler(params, [clip.length for clip in clips], weights)
    config = resolve_run_config(params, sampler, sum(clip.seconds for clip in clips))
    dims = find_model_dims(params.base_model, settings)
    memory = memory_to_plan_with(params, settings)
    planned: dict[str, Any] = {
        "settings": _plan_settings(params, config, memory, sampler, bool(validation)),
        "data": data,
    }
    if (start := _plan_start(params, config)) is not None:
        planned["settings"]["continues"] = start
    if dims is None:
        return planned | {"unknown": f"The size of {params.base_model}: memory, disk and time need its config."}
    if weights:
        planned["data"]["clips_an_epoch"] = round(sum(weights))
    weighted = zip(clips, weights or [1.0] * len(clips), strict=True)
    frames = (
        sum(clip.frames * weight for clip, weight in weighted) * config.total_steps / max(1, sampler.total_steps(1))
    )
    encoder = plan_encoder(params, settings, dims.talker.hidden)
    if encoder is not None:
        planned["speaker_encoder"] = encoder
    return planned | {
        "memory": _plan_memory(params, dims, clips, memory),
        "disk": plan_disk(params, dims, settings, count_exports(params, config, sampler)),
        "time": _plan_time(params, dims, frames, memory, settings),
    }


def plan_ahead(params: Params, settings: Settings, speech_s: float | None = None) -> dict[str, Any]:
    """Plan what does not depend on the data, before they exist: number format, optimizer, memory.

    Args:
        speech_s: seconds of speech that the steps before will give at most; with them disk and time are planned, too.

    Raises:
        UserError: ``memory_too_small``, as in ``plan``.
    """
    memory = memory_to_plan_with(params, settings)
    planned: dict[str, Any] = {"settings": _plan_arithmetic(params, memory)}
    dims = find_model_dims(params.base_model, settings)
    if dims is None:
        return planned
    longest_s = min(params.max_clip_s, LONG_CLIP_S)
    [clip] = assumed_clips(longest_s, 1)
    n_clips = 1 + params.batch_tokens // clip.length if params.batch_tokens else params.batch_size
    assumed = {"assumes": f"clips of {longest_s:g} s"}
    planned |= {"memory": _plan_memory(params, dims, [clip] * n_clips, memory) | assumed}
    if not speech_s:
        return planned
    lengths = [one.length for one in assumed_clips(USUAL_CLIP_S, max(1, round(speech_s / USUAL_CLIP_S)))]
    sampler = make_sampler(params, lengths)
    config = resolve_run_config(params, sampler, speech_s)
    frames = speech_s * FRAMES_PER_SECOND * config.total_steps / max(1, sampler.total_steps(1))
    settings_planned = planned["settings"] | {"epochs": config.epochs, "optimizer_steps": config.total_steps}
    return planned | {
        "settings": settings_planned,
        "disk": plan_disk(params, dims, settings, count_exports(params, config, sampler)),
        "time": _plan_time(params, dims, frames, memory, settings),
    }


def _weigh(params: Params, train: Sequence[ScannedClip]) -> list[float]:
    names = [voice_name(clip.row.speaker) for clip in train]
    if params.speaker is not None and len(set(names)) == 1:
        names = [params.speaker] * len(names)
    return weigh_clips(params.sample_weights, [(name, clip.language) for name, clip in zip(names, train, strict=True)])


def _plan_settings(
    params: Params, config: RunConfig, memory: MemoryBudget | None, sampler: LengthBatchSampler, is_validated: bool
) -> dict[str, Any]:
    """List the settings that were left open, and those that follow from several parameters."""
    is_short = params.max_steps is not None and params.max_steps > config.total_steps
    ends = f"max_steps={params.max_steps} is not reached: epochs={config.epochs} end the run before"
    return {
        "epochs": config.epochs,
        **({"ends": ends} if is_short else {}),
        **({"toy": TOY_LIMITS} if is_of_toy(params.base_model) else {}),
        "optimizer_steps": config.total_steps,
        "lr": config.lr,
        "schedule": f"{config.warmup_steps} steps of warm-up, then "
        + describe_decay(params.lr_schedule, params.min_lr_share),
        **_plan_arithmetic(params, memory),
        **({"validation": describe_validation(params, config, sampler)} if is_validated else {}),
        "checkpoints": f"every {params.save_every_steps} steps, {params.keep_checkpoints} kept, "
        + ("with the optimizer's state" if params.checkpoint_optimizer else "weights only"),
    }


def _plan_arithmetic(params: Params, memory: MemoryBudget | None) -> dict[str, Any]:
    """List the settings that decide the memory of a step."""
    batch = f"{params.batch_tokens} positions" if params.batch_tokens else f"{params.batch_size} clips"
    n_accumulated = params.gradient_accumulation_steps
    return {
        "batch": f"{batch} x {n_accumulated} micro-batches x {params.n_processes} processes",
        "precision": _plan_precision(params, memory),
        "optimizer": params.optimizer
        + (f", divided with the layers among {params.n_processes} processes" if params.fsdp else "")
        + (", activations recomputed" if params.gradient_checkpointing else ""),
        "learns": _plan_trained(params),
        **({"attention": params.attention} if params.attention != "auto" else {}),
        **({"weight_average": f"decay {params.ema_decay:g}: voice-ema beside the voice"} if params.ema_decay else {}),
        **({"deterministic": "slower on a GPU"} if params.deterministic else {}),
    }


def _plan_start(params: Params, config: RunConfig) -> str | None:
    """Say from which step a run would go on, by the checkpoints alone; None: from the first."""
    own = kept_step(Path(params.out_dir)) if params.out_dir and params.resume else None
    step = kept_step(find_source(params.extend)) if own is None and params.extend is not None else own
    if step is None:
        return None
    rate = f"the learning rate is then that of {config.total_steps} steps"
    return f"from step {step}, if nothing but epochs, max_steps and early_stop has changed; {rate}"


def _plan_precision(params: Params, memory: MemoryBudget | None) -> str:
    if params.dtype != "auto":
        return str(training_precision(DeviceInfo("cuda") if memory is None else memory.device_info, params.dtype))
    if memory is None or (memory.device == "cuda" and memory.capability is None):
        return "bfloat16 where the GPU computes in it (compute capability 8.0 or more), else float16 with loss scaling"
    return str(training_precision(memory.device_info))


def _plan_trained(params: Params) -> str:
    if params.method == "lora":
        name = "DoRA" if params.lora_dora else "LoRA"
        return f"{name} r={params.lora_r} alpha={params.lora_alpha} on {params.lora_targets}"
    frozen = params.freeze or "code_predictor if the base is trained"
    return "talker and code predictor" + ("" if frozen == "none" else f", frozen: {frozen}")


def _plan_data(found: ManifestScan, train: Sequence[ScannedClip], validation: Sequence[ScannedClip]) -> dict[str, Any]:
    seconds = [clip.size.seconds for clip in train]
    data: dict[str, Any] = {
        "clips": len(train),
        "hours": round(sum(seconds) / 3600, 3),
        "longest_clip_s": round(max(seconds, default=0), 1),
        "held_out": len(validation),
        "speakers": dict(sorted(found.speakers.items(), key=lambda item: -item[1])[:MOST_LISTED]),
        "languages": sorted(found.languages)[: 2 * MOST_LISTED],
    }
    if validation and not any(clip.is_validation for clip in validation):
        data["split"] = SPLIT_RULE
    names = {clip.row.speaker for clip in train}
    whole = names - {clip.row.speaker for clip in validation}
    if validation and whole:
        data["trained_whole"] = sorted(whole)[:MOST_LISTED]
    if untrained := {clip.row.speaker for clip in validation} - names:
        data["no_clip_to_train_on"] = sorted(untrained)[:MOST_LISTED]
    n_too_long = len(found.clips) - len(train) - len(validation)
    rejected = {"longer_than_max_clip_s": n_too_long, "without_codes": found.n_unreadable}
    return data | {name: count for name, count in rejected.items() if count}


def _plan_memory(
    params: Params, dims: ModelDims, clips: Sequence[ClipSize], memory: MemoryBudget | None
) -> dict[str, Any]:
    unknown: Device = "cuda_float32" if params.dtype == "float32" else "cuda"
    device = unknown if memory is None else memory.arithmetic(params.dtype)
    if memory is not None and not memory.is_here:
        found = check_fits(params, dims, clips, memory)
    else:
        found = estimate_run_memory(params, dims, clips, device)
    planned: dict[str, Any] = {
        "peak_gb": round_gb(found.peak),
        "at": found.moment,
        "parts_gb": {name: round_gb(size) for name, size in found.parts.items() if size >= 5e5},
    }
    if memory is None:
        return planned | {"of": "a GPU of another machine"}
    planned |= {"of": memory.name, "free_gb": round_gb(memory.free), "total_gb": round_gb(memory.total)}
    planned["fits"] = found.peak <= memory.free
    if not planned["fits"]:
        change = cheapest_change(params, dims, clips, device, memory.free)
        planned["cheapest_change"] = "none: use a larger GPU" if change is None else str(change)
    return planned


def _plan_time(
    params: Params, dims: ModelDims, frames: float, memory: MemoryBudget | None, settings: Settings
) -> dict[str, Any]:
    found = None
    if memory is not None and memory.is_here:  # memory says nothing of speed
        found = estimate_throughput(params, dims, memory, settings, len(os.sched_getaffinity(0)))
    if found is None:
        return {"from": "unknown GPU; the job reports its throughput while it runs"}
    rate = found.frames_per_s
    return {"about_min": round((START_S + frames / rate) / 60, 2), "frames_per_s": round(rate), "from": found.source}
