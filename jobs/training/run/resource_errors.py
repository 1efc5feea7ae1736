"""Errors of a full disk and a full GPU, with the setting to change."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from jobs.errors import UserError
from jobs.files.full_disk import is_full_disk
from jobs.qwen.safetensors_io import weight_files
from jobs.training.data.manifest_scan import ClipSize
from jobs.training.params import Params
from jobs.training.planning.cheaper_settings import next_change
from jobs.training.planning.disk import checkpoint_bytes, disk_needed
from jobs.training.planning.model_dims import ModelDims
from jobs.training.run.optimizer import trainable


def check_disk(out: Path, model: torch.nn.Module, base: Path, params: Params, n_kept: int = 0) -> None:
    """Refuse a run whose checkpoints and export do not fit on the disk.

    Args:
        n_kept: exports of steps on the way.

    Raises:
        UserError: ``disk_full``.
    """
    n_trained = sum(parameter.numel() for parameter in trainable(model).values())
    export_bytes = sum(path.stat().st_size for path in weight_files(base))
    needed = disk_needed(n_trained, export_bytes, params, n_kept)
    each = checkpoint_bytes(n_trained, params)
    free = shutil.disk_usage(out).free
    if free < needed:
        raise UserError(
            "disk_full",
            f"{out} has {free / 1e9:.1f} GB free; {params.keep_checkpoints} checkpoints of {each / 1e9:.1f} GB, one "
            f"more while it is written, the best weights and {1 + n_kept} exports need {needed / 1e9:.1f} GB.",
            "Free space, give an out_dir on another disk, or use keep_checkpoints=1, checkpoint_optimizer=false "
            "(weights only), optimizer=adamw_8bit, or method=lora, whose checkpoints are small.",
        )


@contextmanager
def explain_full_disk(out: Path) -> Iterator[None]:
    """Translate the system's error of a full disk.

    Raises:
        UserError: ``disk_full``.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not is_full_disk(error):
            raise
        raise UserError(
            "disk_full",
            f"No space left while writing to {out}.",
            "Free space and start again with the same parameters: the run continues from its last checkpoint.",
        ) from error


@contextmanager
def explain_full_gpu(params: Params, dims: ModelDims, clips: Sequence[ClipSize]) -> Iterator[None]:
    """Translate torch's out-of-memory error.

    Raises:
        UserError: ``cuda_oom``.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        peak = torch.cuda.max_memory_allocated() / 2**30
        total = torch.cuda.get_device_properties(0).total_memory / 2**30
        raise UserError(
            "cuda_oom",
            f"The GPU's {total:.1f} GiB are full (peak {peak:.1f} GiB) at batch_size {params.batch_size}, "
            f"method {params.method}.",
            cuda_oom_hint(params, dims, clips),
        ) from error


def cuda_oom_hint(params: Params, dims: ModelDims, clips: Sequence[ClipSize]) -> str:
    """Name the cheapest change that lowers memory."""
    change = next_change(params, dims, clips, "cuda")
    advice = "Use a larger GPU." if change is None else f"Use {change.arguments}."
    return f"{advice} Checkpoints are kept, but a run with other parameters needs another out_dir."
