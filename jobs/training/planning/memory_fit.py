"""Does a run fit the machine, and if not, which is the cheapest change that makes it fit? Light: no torch."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.runner.machine.nvidia_smi import Gpus
from jobs.runner.machine.preflight import memory_of_machine
from jobs.settings import Settings
from jobs.training.data.manifest_scan import ClipSize
from jobs.training.params import Params
from jobs.training.planning.memory import Device, Estimate, PassSize, Recipe, estimate
from jobs.training.planning.model_dims import RELEASED, Shape, Stack, released_shape

SMALL_MODEL = "Qwen/Qwen3-TTS-12Hz-0.6B-Base"
CLIP_LIMITS_S = (20.0, 15.0, 12.0, 10.0, 8.0, 6.0, 5.0)  # longest clips that may be left out, tried in this order
LEAST_SPEECH_KEPT = 0.5  # else leaving clips out is no cheap change

# The speaking toy of ``jobs/qwen/toy/checkpoints.py``.
TOY = Shape(Stack(128, 256, 3, 4, 2, 16), Stack(48, 96, 1, 4, 2, 16), 1280, 600, 128, 256)


@dataclass(frozen=True)
class Memory:
    """Where a run's memory comes from, in bytes: of one GPU, or main memory.

    Attributes:
        device: whose memory it is.
        name: of the GPU; ``this machine's memory`` otherwise.
        total: all of it.
        free: what nobody uses now.
    """

    device: Device
    name: str
    total: float
    free: float


@dataclass(frozen=True)
class Change:
    """Parameters to give instead, and the peak that they lead to."""

    updates: dict[str, Any]
    estimate: Estimate

    def __str__(self) -> str:
        given = " ".join(f"{name}={_spelt(value)}" for name, value in self.updates.items())
        return f"{given} (about {self.estimate.peak / 1e9:.1f} GB)"


def memory_for(
    settings: Settings, n_processes: int = 1, *, gpus: Gpus | None = None, on_cpu: bool = False
) -> Memory | None:
    """The memory that a job of these settings would have: of the GPU with least free, or this machine's; None: unknown.

    Args:
        settings: say which GPUs the job may use.
        n_processes: GPUs, or shares of the main memory.
        gpus: of this machine.
        on_cpu: torch sees no GPU, whatever the driver says.
    """
    gpus = gpus or Gpus()
    allowed = frozenset() if on_cpu else gpus.allowed(settings.gpus)
    if allowed and (found := [memory for index, memory in sorted(gpus.memory().items()) if index in allowed]):
        found = found[:n_processes]
        least = min(found, key=lambda memory: memory.free)
        return Memory("cuda", least.name, least.total, least.free)
    machine = memory_of_machine()
    if machine is None:
        return None
    share = 1e6 / n_processes
    return Memory("cpu", "this machine's memory", machine.total_mb * share, machine.available_mb * share)


def shape_of(base_model: str, settings: Settings) -> Shape | None:
    """Shape of a model: from its config where it is on the disk, else of the released model of that name.

    Args:
        base_model: ``toy``, a directory or a hub id.
        settings: where the hub's cache is.
    """
    if base_model == "toy":
        return TOY
    snapshots = settings.hub_cache / f"models--{base_model.replace('/', '--')}" / "snapshots"
    configs = [Path(base_model) / "config.json", *sorted(snapshots.glob("*/config.json"))]
    for path in configs:
        try:
            return Shape.of(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None if Path(base_model).is_absolute() else released_shape(base_model)


def recipe_of(params: Params) -> Recipe:
    """What of the parameters decides memory.

    ``freeze`` that was left open is decided after the base was probed: a released model's code predictor is frozen.
    """
    targets = params.lora_targets
    return Recipe(
        method=params.method,
        optimizer=params.optimizer,
        gradient_checkpointing=params.gradient_checkpointing,
        accumulates=params.gradient_accumulation_steps > 1,
        lora_r=params.lora_r,
        lora_attention=True,
        lora_mlp=targets != "attention",
        lora_predictor=targets not in ("attention", "talker"),  # a pattern may name it
        freeze=params.freeze or ("none" if params.base_model == "toy" else "code_predictor"),
        load_in_4bit=params.load_in_4bit,
    )


def largest_pass(params: Params, clips: Sequence[ClipSize]) -> PassSize:
    """The largest forward pass that may be dealt: the longest clips together, of those that are not rejected."""
    by_length = sorted(_kept(params, clips) or clips, key=lambda clip: clip.length, reverse=True)
    chosen = by_length[: params.batch_size]
    if params.batch_tokens is not None:
        most = 0
        for first, clip in enumerate(by_length):
            n_clips = min(max(1, params.batch_tokens // clip.length), len(by_length) - first)
            if n_clips * clip.length > most:
                most, chosen = n_clips * clip.length, by_length[first : first + n_clips]
    frames = sum(clip.frames for clip in chosen)
    lengths = [clip.length for clip in chosen]
    n_clips, width = (1, sum(lengths)) if params.packing else (len(chosen), lengths[0])
    return PassSize(n_clips, width, frames, math.ceil(frames * params.predictor_share))


def estimate_for(params: Params, shape: Shape, clips: Sequence[ClipSize], device: Device) -> Estimate:
    """Peak of a run's memory on one device."""
    return estimate(shape, recipe_of(params), largest_pass(params, clips), device)


def cheapest_change(
    params: Params, shape: Shape, clips: Sequence[ClipSize], device: Device, free: float
) -> Change | None:
    """The first change that makes a run fit, from the cheapest to the dearest, alone; else the first few together."""

    def tried(changed: Params) -> Change | None:
        small = changed.base_model == SMALL_MODEL != params.base_model
        found = estimate_for(changed, RELEASED["0.6b"] if small else shape, clips, device)
        updates = {name: value for name, value in changed if value != getattr(params, name)}
        return Change(updates, found) if found.peak <= free else None

    for step in _STEPS:
        for changed in step(params, shape, clips):
            if (change := tried(changed)) is not None:
                return change
    together = params
    for step in _STEPS:
        for changed in step(together, shape, clips):
            together = changed
            if (change := tried(together)) is not None:
                return change
    return None


def check_fits(
    params: Params, shape: Shape, clips: Sequence[ClipSize], memory: Memory, *, is_running: bool = False
) -> Estimate:
    """Estimate a run's memory and refuse it when it cannot fit.

    Args:
        params: of the run.
        shape: of its base model.
        clips: that are learnt.
        memory: that it would have.
        is_running: the process is there already, so that its own memory is not free any more.

    Raises:
        UserError: ``memory_too_small`` with the table and the cheapest change.
    """
    found = estimate_for(params, shape, clips, memory.device)
    free = memory.free + (found.parts.get("process", 0.0) if is_running else 0.0)
    if found.peak <= free:
        return found
    change = cheapest_change(params, shape, clips, memory.device, free)
    table = ", ".join(f"{name} {size / 1e9:.2f}" for name, size in found.parts.items() if size >= 5e6)
    hint = f"Give {change}." if change is not None else "Nothing makes it fit here: use a larger GPU."
    if found.peak <= memory.total:
        hint += f" Or free it: {(memory.total - memory.free) / 1e9:.1f} GB are in use."
    raise UserError(
        "memory_too_small",
        f"Training would take about {found.peak / 1e9:.1f} GB at its peak ({found.moment}); {memory.name} has "
        f"{free / 1e9:.1f} GB free. In GB: {table}.",
        hint,
    )


def _halved(params: Params, shape: Shape, clips: Sequence[ClipSize]) -> Iterator[Params]:
    """The same step in smaller passes."""
    while params.batch_tokens is None and params.batch_size > 1 and params.gradient_accumulation_steps <= 128:
        passes = params.gradient_accumulation_steps * 2
        params = _with(params, batch_size=params.batch_size // 2, gradient_accumulation_steps=passes)
        yield params
    longest = max(clip.length for clip in clips)
    while params.batch_tokens is not None and params.batch_tokens >= 2 * max(64, longest):
        passes = min(256, params.gradient_accumulation_steps * 2)
        params = _with(params, batch_tokens=params.batch_tokens // 2, gradient_accumulation_steps=passes)
        yield params


def _checkpointed(params: Params, shape: Shape, clips: Sequence[ClipSize]) -> Iterator[Params]:
    if not params.gradient_checkpointing:
        yield _with(params, gradient_checkpointing=True)


def _in_8_bits(params: Params, shape: Shape, clips: Sequence[ClipSize]) -> Iterator[Params]:
    if params.optimizer == "adamw":
        yield _with(params, optimizer="adamw_8bit")


def _shorter(params: Params, shape: Shape, clips: Sequence[ClipSize]) -> Iterator[Params]:
    """Without the longest clips, where half of the speech stays."""
    total = sum(clip.frames for clip in clips)
    for limit_s in CLIP_LIMITS_S:
        changed = _with(params, max_clip_s=limit_s)
        kept = _kept(changed, clips)
        if len(kept) < len(clips) and sum(clip.frames for clip in kept) >= LEAST_SPEECH_KEPT * total:
            left_out = math.ceil(100 * (1 - len(kept) / len(clips))) / 100
            yield _with(changed, max_bad_share=min(1.0, round(params.max_bad_share + left_out, 2)))


def _adapted(params: Params, shape: Shape, clips: Sequence[ClipSize]) -> Iterator[Params]:
    if params.method == "full":
        yield _with(params, method="lora", freeze=params.freeze and "none")


def _in_4_bits(params: Params, shape: Shape, clips: Sequence[ClipSize]) -> Iterator[Params]:
    if not params.load_in_4bit:
        yield _with(params, method="lora", freeze=params.freeze and "none", load_in_4bit=True)


def _of_the_small_model(params: Params, shape: Shape, clips: Sequence[ClipSize]) -> Iterator[Params]:
    if shape.weights > 1.2 * RELEASED["0.6b"].weights:
        yield _with(params, base_model=SMALL_MODEL)


_STEPS = (_halved, _checkpointed, _in_8_bits, _shorter, _adapted, _in_4_bits, _of_the_small_model)


def _kept(params: Params, clips: Sequence[ClipSize]) -> list[ClipSize]:
    return [clip for clip in clips if clip.seconds <= params.max_clip_s]


def _with(params: Params, **updates: Any) -> Params:
    return params.model_copy(update=updates)


def _spelt(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
