"""The plan of a run that a dry run shows: settings, data, memory, disk, time. Light, fast, small."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jobs.runner.machine.preflight import free_bytes
from jobs.settings import Settings
from jobs.training.data.manifest_scan import FEWEST_TO_HOLD_OUT_OF, ClipSize, Survey, survey
from jobs.training.params import Params
from jobs.training.planning.disk import disk_needed
from jobs.training.planning.memory import trained_weights
from jobs.training.planning.memory_fit import Memory, cheapest_change, estimate_for, memory_for, recipe_of, shape_of
from jobs.training.planning.model_dims import Shape
from jobs.training.planning.run_config import Resolved, make_dealer, resolve
from jobs.training.planning.throughput_estimate import pace_of

CODEC_BYTES = 682_000_000  # speech_tokenizer of the released models, downloaded with them


def plan_of(params: Params, settings: Settings) -> dict[str, Any]:
    """What a run would do and take on this machine."""
    found = survey(Path(params.manifest))
    clips = [clip for clip in found.train if clip.seconds <= params.max_clip_s]
    n_held_out = len(found.validation)
    if not n_held_out and len(clips) >= FEWEST_TO_HOLD_OUT_OF:
        n_held_out = round(params.validation_share * len(clips))  # about: by whole chapters or texts
        clips = clips[n_held_out:]
    if not clips:
        return {"data": _data(found, clips, n_held_out)}
    dealer = make_dealer(params, [clip.length for clip in clips])
    speech_s = sum(clip.seconds for clip in clips)
    resolved = resolve(params, dealer, speech_s)
    shape = shape_of(params.base_model, settings)
    memory = memory_for(settings, params.n_processes) if settings.backend == "local" else None
    plan = {"settings": _settings(params, resolved), "data": _data(found, clips, n_held_out)}
    if shape is None:
        return plan | {"unknown": f"The size of {params.base_model}: memory, disk and time come with its config."}
    frames = sum(clip.frames for clip in clips) * resolved.total_steps / max(1, dealer.total_steps(1))
    return plan | {
        "memory": _memory(params, shape, clips, memory),
        "disk": _disk(params, shape, settings),
        "time": _time(params, shape, frames, memory, settings),
    }


def _settings(params: Params, resolved: Resolved) -> dict[str, Any]:
    """What was left open, and what follows from several parameters."""
    batch = f"{params.batch_tokens} positions" if params.batch_tokens else f"{params.batch_size} clips"
    return {
        "epochs": resolved.epochs,
        "optimizer_steps": resolved.total_steps,
        "lr": resolved.lr,
        "schedule": f"{resolved.warmup_steps} steps of warm-up, then {params.lr_schedule}",
        "batch": f"{batch} x {params.gradient_accumulation_steps} passes x {params.n_processes} processes",
        "learns": _learns(params),
        "checkpoints": f"every {params.save_every_steps} steps",
    }


def _learns(params: Params) -> str:
    if params.method == "lora":
        return f"LoRA r={params.lora_r} alpha={params.lora_alpha} on {params.lora_targets}"
    frozen = params.freeze or "code_predictor if the base knows speech"
    return "talker and code predictor" + ("" if frozen == "none" else f", frozen: {frozen}")


def _data(found: Survey, clips: list[ClipSize], n_held_out: int) -> dict[str, Any]:
    data: dict[str, Any] = {
        "clips": len(clips),
        "hours": round(sum(clip.seconds for clip in clips) / 3600, 3),
        "longest_clip_s": round(max((clip.seconds for clip in clips), default=0), 1),
        "held_out": n_held_out,
        "speakers": dict(sorted(found.speakers.items(), key=lambda item: -item[1])[:5]),
        "languages": sorted(found.languages)[:10],
    }
    n_too_long = len(found.train) + len(found.validation) - len(clips) - n_held_out
    bad = {"longer_than_max_clip_s": n_too_long, "without_codes": found.n_unreadable}
    return data | {name: count for name, count in bad.items() if count}


def _memory(params: Params, shape: Shape, clips: list[ClipSize], memory: Memory | None) -> dict[str, Any]:
    device = "cuda" if memory is None else memory.device
    found = estimate_for(params, shape, clips, device)
    told: dict[str, Any] = {
        "peak_gb": _gb(found.peak),
        "at": found.moment,
        "parts_gb": {name: _gb(size) for name, size in found.parts.items() if size >= 5e5},
    }
    if memory is None:
        return told | {"of": "a GPU of another machine"}
    told |= {"of": memory.name, "free_gb": _gb(memory.free), "total_gb": _gb(memory.total)}
    told["fits"] = found.peak <= memory.free
    if not told["fits"]:
        change = cheapest_change(params, shape, clips, device, memory.free)
        told["cheapest_change"] = "none: a larger GPU" if change is None else str(change)
    return told


def _disk(params: Params, shape: Shape, settings: Settings) -> dict[str, Any]:
    base = Path(params.base_model)
    export = sum(path.stat().st_size for path in base.glob("*.safetensors")) or shape.weights * 2
    n_exports = 2 if params.export == "both" else 1
    out = Path(params.out_dir or settings.home)
    need = disk_needed(trained_weights(shape, recipe_of(params)), export, n_exports=n_exports)
    free = free_bytes(out)
    told: dict[str, Any] = {"need_gb": _gb(need), "free_gb": _gb(free), "fits": need <= free}
    cached = settings.hub_cache / f"models--{params.base_model.replace('/', '--')}"
    if params.base_model != "toy" and not base.is_absolute() and not cached.is_dir():
        told["download_gb"] = _gb(shape.weights * 2 + CODEC_BYTES)
    return told


def _time(params: Params, shape: Shape, frames: float, memory: Memory | None, settings: Settings) -> dict[str, Any]:
    unknown = {"from": "nothing is known of the GPU; the job tells its rate while it runs"}
    if memory is None:
        return unknown
    pace = pace_of(params, shape, memory, settings, len(os.sched_getaffinity(0)))
    if pace is None:
        return unknown
    return {"about_s": round(frames / pace.frames_per_s), "frames_per_s": round(pace.frames_per_s), "from": pace.source}


def _gb(size: float) -> float:
    return float(f"{size / 1e9:.3g}")
