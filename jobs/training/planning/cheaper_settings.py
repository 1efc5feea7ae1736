"""Cheaper settings: changes of parameters that lower a run's memory, from the cheapest to the most expensive."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.errors import UserError
from jobs.training.data.manifest_scan import ClipSize
from jobs.training.params import Params
from jobs.training.planning.memory import Device, MemoryEstimate
from jobs.training.planning.memory_fit import CARD_RESERVE, MemoryBudget, estimate_run_memory, kept_clips
from jobs.training.planning.model_dims import RELEASED, ModelDims
from jobs.training.planning.presets import LARGE, preset_gib

SMALL_MODEL = "Qwen/Qwen3-TTS-12Hz-0.6B-Base"
CLIP_LIMITS_S = (20.0, 15.0, 12.0, 10.0, 8.0, 6.0, 5.0)  # tried in this order as the longest clip to keep
MIN_SPEECH_KEPT = 0.5  # share of the speech; a change that leaves out more is not cheap


@dataclass(frozen=True)
class SettingsChange:
    """Parameters to give instead, and the memory estimate that results."""

    updates: dict[str, Any]
    estimate: MemoryEstimate

    @property
    def arguments(self) -> str:
        """The parameters as ``name=value``."""
        return " ".join(f"{name}={_format(value)}" for name, value in self.updates.items())

    def __str__(self) -> str:
        return f"{self.arguments} (about {self.estimate.peak / 1e9:.1f} GB)"


def cheapest_change(
    params: Params, dims: ModelDims, clips: Sequence[ClipSize], device: Device, free: float
) -> SettingsChange | None:
    """Find the cheapest single change that makes a run fit, else the first changes together that do."""
    for step in _STEPS:
        for changed in step(params, dims, clips):
            if (change := _make_change(params, changed, dims, clips, device)).estimate.peak <= free:
                return change
    combined = params
    for step in _STEPS:
        for changed in step(combined, dims, clips):
            combined = changed
            if (change := _make_change(params, combined, dims, clips, device)).estimate.peak <= free:
                return change
    return None


def check_fits(
    params: Params, dims: ModelDims, clips: Sequence[ClipSize], memory: MemoryBudget, *, is_running: bool = False
) -> MemoryEstimate:
    """Estimate a run's memory and refuse a run that does not fit.

    Args:
        is_running: the process runs already, so its own memory is no longer free.

    Raises:
        UserError: ``memory_too_small`` with the parts of the estimate and the cheapest change.
    """
    found = estimate_run_memory(params, dims, clips, memory.arithmetic(params.dtype))
    free = memory.free + (found.parts.get("process", 0.0) if is_running else 0.0)
    if found.peak <= free:
        return found
    change = cheapest_change(params, dims, clips, memory.arithmetic(params.dtype), free)
    table = ", ".join(f"{name} {size / 1e9:.2f}" for name, size in found.parts.items() if size >= 5e6)
    hint = f"Give {change}." if change is not None else f"No setting fits {memory.name}: use a larger GPU."
    if not memory.is_here:
        hint = f"{hint} These settings take a GPU of {smallest_gpu(found.peak)} GB."
    elif found.peak <= memory.total:
        hint += f" Or free memory: {(memory.total - memory.free) / 1e9:.1f} GB are in use."
    raise UserError(
        "memory_too_small",
        f"Training would take about {found.peak / 1e9:.1f} GB at its peak ({found.moment}); {memory.name} has "
        f"{free / 1e9:.1f} GB free. In GB: {table}.",
        hint,
    )


def smallest_gpu(peak: float) -> int:
    """Return the memory in GB of the smallest usual GPU that has this many bytes free, else the GB that are needed."""
    sizes = [preset_gib(name) for name in LARGE]
    return next((gib for gib in sizes if peak <= gib * 2**30 - CARD_RESERVE), math.ceil((peak + CARD_RESERVE) / 2**30))


def next_change(params: Params, dims: ModelDims, clips: Sequence[ClipSize], device: Device) -> SettingsChange | None:
    """Return the cheapest change, for a run that ran out of memory although its estimate fitted."""
    for step in _STEPS:
        for changed in step(params, dims, clips):
            return _make_change(params, changed, dims, clips, device)
    return None


def _make_change(
    params: Params, changed: Params, dims: ModelDims, clips: Sequence[ClipSize], device: Device
) -> SettingsChange:
    is_small = changed.base_model == SMALL_MODEL != params.base_model
    estimate = estimate_run_memory(changed, RELEASED["0.6b"] if is_small else dims, clips, device)
    updates = {name: value for name, value in changed if value != getattr(params, name)}
    return SettingsChange(updates, estimate)


def _halve_micro_batch(params: Params, dims: ModelDims, clips: Sequence[ClipSize]) -> Iterator[Params]:
    """Make the same optimiser step in smaller micro-batches."""
    while params.batch_tokens is None and params.batch_size > 1 and params.gradient_accumulation_steps <= 128:
        n_accumulated = params.gradient_accumulation_steps * 2
        params = _with(params, batch_size=params.batch_size // 2, gradient_accumulation_steps=n_accumulated)
        yield params
    longest = max((clip.length for clip in clips), default=0)
    while params.batch_tokens is not None and params.batch_tokens >= 2 * max(64, longest):
        n_accumulated = min(256, params.gradient_accumulation_steps * 2)
        params = _with(params, batch_tokens=params.batch_tokens // 2, gradient_accumulation_steps=n_accumulated)
        yield params


def _recompute_activations(params: Params, dims: ModelDims, clips: Sequence[ClipSize]) -> Iterator[Params]:
    if not params.gradient_checkpointing:
        yield _with(params, gradient_checkpointing=True)


def _shard_layers(params: Params, dims: ModelDims, clips: Sequence[ClipSize]) -> Iterator[Params]:
    """Divide the layers among the processes, instead of making the optimizer's state smaller."""
    is_full = params.method == "full" and params.freeze != "talker"
    if params.n_processes > 1 and is_full and not params.fsdp:
        yield _with(params, fsdp=True, optimizer="adamw", compile=False)


def _use_8_bit_optimiser(params: Params, dims: ModelDims, clips: Sequence[ClipSize]) -> Iterator[Params]:
    if params.optimizer == "adamw" and not params.fsdp:
        yield _with(params, optimizer="adamw_8bit")


def _drop_long_clips(params: Params, dims: ModelDims, clips: Sequence[ClipSize]) -> Iterator[Params]:
    """Leave out the longest clips, as long as half of the speech remains."""
    total = sum(clip.frames for clip in clips)
    for limit_s in CLIP_LIMITS_S:
        changed = _with(params, max_clip_s=limit_s)
        kept = kept_clips(changed, clips)
        if len(kept) < len(clips) and sum(clip.frames for clip in kept) >= MIN_SPEECH_KEPT * total:
            left_out = math.ceil(100 * (1 - len(kept) / len(clips))) / 100
            yield _with(changed, max_bad_share=min(1.0, round(params.max_bad_share + left_out, 2)))


def _use_adapters(params: Params, dims: ModelDims, clips: Sequence[ClipSize]) -> Iterator[Params]:
    if params.method == "full":
        yield _with(params, method="lora", freeze=params.freeze and "none", fsdp=False)


def _quantise_base(params: Params, dims: ModelDims, clips: Sequence[ClipSize]) -> Iterator[Params]:
    if not params.load_in_4bit:
        yield _with(params, method="lora", freeze=params.freeze and "none", fsdp=False, load_in_4bit=True)


def _use_small_model(params: Params, dims: ModelDims, clips: Sequence[ClipSize]) -> Iterator[Params]:
    if dims.weights > 1.2 * RELEASED["0.6b"].weights:
        yield _with(params, base_model=SMALL_MODEL)


_STEPS = (
    _halve_micro_batch,
    _recompute_activations,
    _use_8_bit_optimiser,
    _shard_layers,
    _drop_long_clips,
    _use_adapters,
    _quantise_base,
    _use_small_model,
)


def _with(params: Params, **updates: Any) -> Params:
    return params.model_copy(update=updates)


def _format(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
