"""Disk space of a training run: checkpoints and exports."""

from pathlib import Path
from typing import Any

from jobs.runner.machine.preflight import free_bytes
from jobs.settings import Settings
from jobs.training.params import Params
from jobs.training.planning.memory import trained_weights
from jobs.training.planning.memory_fit import build_recipe
from jobs.training.planning.model_dims import ModelDims

KEPT_CHECKPOINTS = 2
CODEC_BYTES = 682_000_000  # speech_tokenizer of the released models, downloaded with them


def disk_needed(n_trained: float, export_bytes: float, *, n_exports: int = 1) -> float:
    """Compute the peak size of checkpoints and exports in bytes.

    Args:
        export_bytes: of an exported voice without its codec, which is hard-linked.
    """
    checkpoint = n_trained * 4 * 3  # float32 weights and Adam's two moments
    best = 2 * n_trained * 4  # the old file is deleted after the new one is written
    return checkpoint * (KEPT_CHECKPOINTS + 1) + best + export_bytes * n_exports


def plan_disk(params: Params, dims: ModelDims, settings: Settings) -> dict[str, Any]:
    """Compare the space that a run needs with the free space, and name the size of a download."""
    base = Path(params.base_model)
    export = sum(path.stat().st_size for path in base.glob("*.safetensors")) or dims.weights * 2
    n_exports = 2 if params.export == "both" else 1
    need = disk_needed(trained_weights(dims, build_recipe(params)), export, n_exports=n_exports)
    free = free_bytes(Path(params.out_dir or settings.home))
    disk: dict[str, Any] = {"need_gb": round_gb(need), "free_gb": round_gb(free), "fits": need <= free}
    cached = settings.hub_cache / f"models--{params.base_model.replace('/', '--')}"
    if params.base_model != "toy" and not base.is_absolute() and not cached.is_dir():
        disk["download_gb"] = round_gb(dims.weights * 2 + CODEC_BYTES)
    return disk


def round_gb(size: float) -> float:
    """Convert bytes to GB with three significant digits."""
    return float(f"{size / 1e9:.3g}")
