"""Disk space of a training run: checkpoints and exports."""

from pathlib import Path
from typing import Any

from jobs.runner.machine.preflight import free_bytes
from jobs.settings import Settings
from jobs.training.params import Params
from jobs.training.planning.layer_memory import FLOAT32
from jobs.training.planning.memory import STATE_BYTES, trained_weights
from jobs.training.planning.memory_fit import build_recipe
from jobs.training.planning.model_dims import ModelDims

CODEC_BYTES = 682_000_000  # speech_tokenizer of the released models, downloaded with them
STATE_32, STATE_8 = STATE_BYTES["adamw"], STATE_BYTES["adamw_8bit"]  # paged state is 8-bit state, and is saved too


def checkpoint_bytes(n_trained: float, params: Params) -> float:
    """Compute the size of a checkpoint: weights and their average in float32, Adam's moments as it keeps them."""
    state = STATE_32 if params.optimizer == "adamw" else STATE_8
    ema = FLOAT32 if params.ema_decay else 0
    return n_trained * (FLOAT32 + ema + (state if params.checkpoint_optimizer else 0.0))


def disk_needed(n_trained: float, export_bytes: float, params: Params, n_kept: int = 0) -> float:
    """Compute the peak size of checkpoints and exports in bytes.

    Args:
        export_bytes: of an exported voice without its codec, which is hard-linked.
        n_kept: exports of steps on the way.
    """
    best = 2 * n_trained * FLOAT32  # the old file is deleted after the new one is written
    n_exports = 1 + (params.export == "both") + (params.ema_decay > 0) + params.export_base + n_kept
    return checkpoint_bytes(n_trained, params) * (params.keep_checkpoints + 1) + best + export_bytes * n_exports


def plan_disk(params: Params, dims: ModelDims, settings: Settings, n_kept: int = 0) -> dict[str, Any]:
    """Compare the space that a run needs with the free space, and name the sizes of a checkpoint and a download."""
    base = Path(params.base_model)
    export = sum(path.stat().st_size for path in base.glob("*.safetensors")) or dims.weights * 2
    n_trained = trained_weights(dims, build_recipe(params))
    need = disk_needed(n_trained, export, params, n_kept)
    free = free_bytes(Path(params.out_dir or settings.home))
    disk: dict[str, Any] = {
        "need_gb": round_gb(need),
        "free_gb": round_gb(free),
        "fits": need <= free,
        "checkpoint_gb": round_gb(checkpoint_bytes(n_trained, params)),
        "voice_gb": round_gb(export),
    }
    if params.keep_last_state:  # with the best weights
        disk["kept_state_gb"] = round_gb(checkpoint_bytes(n_trained, params) + n_trained * FLOAT32)
    cached = settings.hub_cache / f"models--{params.base_model.replace('/', '--')}"
    if params.base_model != "toy" and not base.is_absolute() and not cached.is_dir():
        disk["download_gb"] = round_gb(dims.weights * 2 + CODEC_BYTES)
    return disk


def round_gb(size: float) -> float:
    """Convert bytes to GB with three significant digits."""
    return float(f"{size / 1e9:.3g}")
