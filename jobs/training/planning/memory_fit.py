"""Memory of a run against the memory of this machine."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.codec_format import FRAMES_PER_SECOND
from jobs.errors import UserError
from jobs.qwen.model_files import read_model_config
from jobs.qwen.precision import DeviceInfo, training_precision
from jobs.runner.machine.nvidia_smi import Gpus
from jobs.runner.machine.preflight import memory_of_machine
from jobs.settings import Settings
from jobs.training.data.manifest_scan import ClipSize
from jobs.training.options import NumberChoice
from jobs.training.params import Params
from jobs.training.planning.memory import Device, MemoryEstimate, MicroBatchSize, Recipe, estimate
from jobs.training.planning.model_dims import ModelDims, StackDims, released_dims

CHARACTERS_PER_SECOND = 15  # rate of speech
LONG_CLIP_S = 15.0  # a long clip that is common; ingest_audiobook's longest
REPORTED_SHARE = 0.95  # a "24 GB" GPU reports 23.99 GiB, an "80 GB" one 79.6
CARD_RESERVE = 0.5e9  # of a GPU that is not here: a desktop's programs on a small one, the driver on any

# The toy of ``jobs.qwen.toy.checkpoints.speaking_toy``.
TOY = ModelDims(StackDims(128, 256, 3, 4, 2, 16), StackDims(48, 96, 1, 4, 2, 16), 1280, 600, 128, 256)


@dataclass(frozen=True)
class MemoryBudget:
    """Memory that a run may use, in bytes: of one GPU, or main memory.

    Attributes:
        capability: CUDA compute capability of the GPU, if known.
        is_here: false for a GPU that a call names and this machine lacks.
    """

    device: Device
    name: str
    total: float
    free: float
    capability: tuple[int, int] | None = None
    is_here: bool = True

    @property
    def device_info(self) -> DeviceInfo:
        """Description of the device, for the choice of its number format."""
        return DeviceInfo("cpu") if self.device == "cpu" else DeviceInfo("cuda", self.name, self.capability)

    def arithmetic(self, dtype: NumberChoice = "auto") -> Device:
        """Return the device of the estimate; a GPU of unknown capability counts as one with half precision.

        Raises:
            UserError: ``dtype_unavailable``.
        """
        if self.device == "cpu" or (dtype == "auto" and self.capability is None):
            training_precision(self.device_info, dtype)
            return self.device
        is_float32 = training_precision(self.device_info, dtype).format == "float32"
        return "cuda_float32" if is_float32 else self.device


def available_memory(
    settings: Settings, n_processes: int = 1, *, gpus: Gpus | None = None, on_cpu: bool = False
) -> MemoryBudget | None:
    """Find the memory that a job would have: of the allowed GPU with least free, or this machine's; None: unknown.

    Args:
        n_processes: number of GPUs, or of shares of the main memory.
        on_cpu: torch sees no GPU, although the driver may.
    """
    gpus = gpus or Gpus()
    found = [] if on_cpu else gpus.slices(settings.gpus)
    if not found and (allowed := frozenset() if on_cpu else gpus.allowed(settings.gpus)):
        found = [(index, memory) for index, memory in sorted(gpus.memory().items()) if index in allowed]
    if found:
        index, least = min(found[:n_processes], key=lambda pair: pair[1].free)
        return MemoryBudget("cuda", least.name, least.total, least.free, _read_capability(gpus, index))
    machine = memory_of_machine()
    if machine is None:
        return None
    share = 1e6 / n_processes
    return MemoryBudget("cpu", "this machine's memory", machine.total_mb * share, machine.available_mb * share)


def memory_to_plan_with(params: Params, settings: Settings) -> MemoryBudget | None:
    """Find the memory to plan a run with: that of the GPU which the call names, else of this machine; None: unknown."""
    here = available_memory(settings, params.n_processes) if settings.backend == "local" else None
    if params.gpu_memory_gb is None or (here is not None and _is_of_size(here, params.gpu_memory_gb)):
        return here
    total = params.gpu_memory_gb * 2**30
    name = f"a GPU of {params.gpu_memory_gb:g} GB, not this machine's"
    return MemoryBudget("cuda", name, total, max(0.0, total - CARD_RESERVE), is_here=False)


def _is_of_size(found: MemoryBudget, gib: float) -> bool:
    return found.device == "cuda" and REPORTED_SHARE <= found.total / (gib * 2**30) <= 1 / REPORTED_SHARE


def _read_capability(gpus: Gpus, index: int) -> tuple[int, int] | None:
    answer = gpus.ask(["--query-gpu=index,compute_cap", "--format=csv,noheader"]) or ""
    found = re.search(rf"^{index}, (\d+)\.(\d+)$", answer, re.MULTILINE)
    return (int(found[1]), int(found[2])) if found else None


def find_model_dims(base_model: str, settings: Settings) -> ModelDims | None:
    """Read a model's dimensions: from its config if it is on the disk, else those of the released model of that name.

    Args:
        base_model: ``toy``, a directory or a hub id.
    """
    if base_model == "toy":
        return TOY
    snapshots = settings.hub_cache / f"models--{base_model.replace('/', '--')}" / "snapshots"
    for folder in (Path(base_model), *sorted(snapshots.glob("*"))):
        try:
            return ModelDims.from_config(read_model_config(folder))
        except UserError:
            continue
    return None if Path(base_model).is_absolute() else released_dims(base_model)


def build_recipe(params: Params) -> Recipe:
    """Select the parameters that decide memory.

    A ``freeze`` that is left open is decided after the base check; for a released model it is ``code_predictor``.
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
        lora_dora=params.lora_dora,
        attention=params.attention,
        ema=params.ema_decay > 0,
        n_shards=params.n_processes if params.fsdp else 1,
        freeze=params.freeze or ("none" if params.base_model == "toy" else "code_predictor"),
        load_in_4bit=params.load_in_4bit,
        samples=params.samples > 0 and params.base_model != "toy",
    )


def largest_micro_batch(params: Params, clips: Sequence[ClipSize]) -> MicroBatchSize:
    """Return the size of the largest possible micro-batch: the longest clips together, without rejected ones."""
    by_length = sorted(kept_clips(params, clips) or clips, key=lambda clip: clip.length, reverse=True)
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
    return MicroBatchSize(n_clips, width, frames, math.ceil(frames * params.predictor_share))


def estimate_run_memory(params: Params, dims: ModelDims, clips: Sequence[ClipSize], device: Device) -> MemoryEstimate:
    """Estimate the peak of a run's memory on one device."""
    return estimate(dims, build_recipe(params), largest_micro_batch(params, clips), device)


def assumed_clips(seconds: float, n_clips: int) -> list[ClipSize]:
    """Return clips of one length, in place of data that are not known yet."""
    return [ClipSize(round(seconds * FRAMES_PER_SECOND), round(seconds * CHARACTERS_PER_SECOND))] * n_clips


def kept_clips(params: Params, clips: Sequence[ClipSize]) -> list[ClipSize]:
    """Return the clips that are not too long."""
    return [clip for clip in clips if clip.seconds <= params.max_clip_s]
