"""Presets: default learning rates, and for a GPU of a given memory the best method that fits with clips of up to 30 s.

Order of preference, by the one controlled study with an aligned loss (FelysNeko/qwen3-tts-post-training, STATUS.md):
full training with the code predictor frozen (best naturalness, fewest endless takes), lr 5e-6, four to eight clips per
step, one or two epochs, warm-up 50, weight decay 0.01, clipping 1.0. The defaults of ``Params`` and ``run_config`` are
these. Where full training does not fit, LoRA; its values are our judgement. That each preset fits its GPU is estimated
(``memory``) and checked by a test, but not measured on such a GPU.
"""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from jobs.qwen.model_files import is_of_toy
from jobs.settings import Settings
from jobs.training.params import DEFAULT_LR, TOY_LR, Params
from jobs.training.planning.hyperparams import read_hyperparams
from jobs.training.planning.memory_fit import REPORTED_SHARE, available_memory, find_model_dims
from jobs.training.planning.model_dims import RELEASED

LORA_ALPHA = 32

Preset = Literal["8gb", "12gb", "16gb", "24gb", "48gb", "80gb"]

_FULL = {"method": "full", "gradient_accumulation_steps": 1}
_LORA = {"method": "lora", "optimizer": "adamw"}
_FOUR = {"batch_size": 4, "gradient_accumulation_steps": 1}
_TWO_TWICE = {"batch_size": 2, "gradient_accumulation_steps": 2}
_KEPT, _AGAIN = {"gradient_checkpointing": False}, {"gradient_checkpointing": True}
_STATE_32, _STATE_8, _STATE_PAGED = ({"optimizer": name} for name in ("adamw", "adamw_8bit", "paged_adamw_8bit"))

SMALL: dict[str, dict[str, Any]] = {
    "8gb": {**_FULL, **_STATE_PAGED, **_FOUR, **_AGAIN},
    "12gb": {**_FULL, **_STATE_32, **_FOUR, **_AGAIN},
    "16gb": {**_FULL, **_STATE_32, **_FOUR, **_AGAIN},
    "24gb": {**_FULL, **_STATE_32, **_FOUR, **_KEPT},
    "48gb": {**_FULL, **_STATE_32, "batch_size": 8, **_KEPT},
    "80gb": {**_FULL, **_STATE_32, "batch_size": 8, **_KEPT},
}
"""Presets of models of at most the 0.6B's size."""

LARGE: dict[str, dict[str, Any]] = {
    "8gb": {**_LORA, **_FOUR, **_AGAIN},
    "12gb": {**_LORA, **_TWO_TWICE, **_KEPT},
    "16gb": {**_FULL, **_STATE_PAGED, **_FOUR, **_AGAIN},
    "24gb": {**_FULL, **_STATE_8, **_FOUR, **_AGAIN},
    "48gb": {**_FULL, **_STATE_32, **_FOUR, **_KEPT},
    "80gb": {**_FULL, **_STATE_32, "batch_size": 8, **_KEPT},
}
"""Presets of the 1.7B, and of models of unknown size."""


def default_lr(params: Params) -> float:
    """Return the default peak learning rate.

    With adapters the progress of a step grows with their scale times their rank: with alpha, and with rsLoRA also with
    the root of the rank (measured: a rank of 64 with alpha 128 needs a third of the rate; arithmetic: a quarter).
    """
    if is_of_toy(params.base_model):
        return TOY_LR[params.method]
    lr = DEFAULT_LR[params.method]
    if params.method == "full":
        return lr
    strength = params.lora_alpha * (math.sqrt(params.lora_r) if params.lora_rslora else 1.0)
    return float(f"{lr * LORA_ALPHA / strength:.2g}")


def preset_settings(preset: str, *, is_small: bool, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a preset sets.

    Args:
        given: parameters that the caller chose; they are kept. If they imply a method that is not the preset's, that
            method is made to fit by recomputing activations and, in full training, by 8-bit optimiser state.
    """
    chosen = (SMALL if is_small else LARGE)[preset]
    method = given.get("method") or ("lora" if given.get("load_in_4bit") else "full" if given.get("freeze") else None)
    if method not in (None, chosen["method"]):
        if method == "full":
            chosen = {"method": method, **_STATE_8, **_FOUR, **_AGAIN}
        else:
            chosen = {"method": method, **_FOUR, "gradient_checkpointing": preset_gib(preset) < 24}
    batch = {"batch_size", "gradient_accumulation_steps", "batch_tokens"}
    names = set(given) | (batch if batch & set(given) else set())
    names |= {"optimizer"} if given.get("fsdp") else set()
    return {name: value for name, value in chosen.items() if name not in names}


def preset_for(total_bytes: float) -> Preset | None:
    """Return the largest preset whose GPU has at most this much memory; None: less than the smallest."""
    fitting = [name for name in LARGE if preset_gib(name) * REPORTED_SHARE * 2**30 <= total_bytes]
    return fitting[-1] if fitting else None  # type: ignore[return-value]


def preset_gib(preset: str) -> int:
    """Return the memory of a preset's GPU in GiB."""
    return int(preset.removesuffix("gb"))


def suggest(params: Params, given: Collection[str], settings: Settings) -> dict[str, Any]:
    """Choose values for parameters that the caller left open: from the hyperparams file, then by preset or GPU.

    A preset or memory that the caller names is that of the GPU to plan for, ``gpu_memory_gb``.

    Args:
        settings: of the caller; with another backend than ``local`` this machine's GPU is not considered.
    """
    found = read_hyperparams(Path(params.hyperparams), given) if params.hyperparams else {}
    params, given = params.model_copy(update=found), {*given, *found}
    preset: str | None = params.preset
    card = params.gpu_memory_gb or (preset_gib(preset) if preset is not None else None)
    named = {} if card is None else {"gpu_memory_gb": card}
    if preset is None and card is not None:
        preset = preset_for(card * 2**30)
    elif preset is None and settings.backend == "local" and params.base_model != "toy":
        memory = available_memory(settings, params.n_processes)
        preset = preset_for(memory.total) if memory is not None and memory.device == "cuda" else None
    if preset is None:
        return named | found
    dims = find_model_dims(params.base_model, settings)
    is_small = dims is not None and dims.weights <= RELEASED["0.6b"].weights
    chosen = preset_settings(preset, is_small=is_small, given={name: getattr(params, name) for name in given})
    return {"preset": preset} | named | chosen | found
