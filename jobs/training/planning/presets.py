"""Settings for a GPU of a given memory: the best method that fits, for clips of up to 30 s. Light: no torch.

Order of preference, by the one controlled study with an aligned loss (FelysNeko/qwen3-tts-post-training, STATUS.md):
full training with the code predictor frozen (best naturalness, fewest endless takes), lr 5e-6, four to eight clips a
step, one or two epochs, warm-up 50, weight decay 0.01, clipping 1.0; the defaults of ``Params`` and ``plan.py`` are
these. Where full training does not fit, LoRA with our own judgement of its values. That each fits its card is an
estimate (``memory.py``), held by a test; none was measured on such a GPU.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from jobs.settings import Settings
from jobs.training.params import Params
from jobs.training.planning.hyperparams import read_hyperparams
from jobs.training.planning.memory_fit import available_memory, find_model_dims
from jobs.training.planning.model_dims import RELEASED

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
"""Models of at most the 0.6B's size."""

LARGE: dict[str, dict[str, Any]] = {
    "8gb": {**_LORA, **_FOUR, **_AGAIN},
    "12gb": {**_LORA, **_TWO_TWICE, **_KEPT},
    "16gb": {**_FULL, **_STATE_PAGED, **_FOUR, **_AGAIN},
    "24gb": {**_FULL, **_STATE_8, **_FOUR, **_AGAIN},
    "48gb": {**_FULL, **_STATE_32, **_FOUR, **_KEPT},
    "80gb": {**_FULL, **_STATE_32, "batch_size": 8, **_KEPT},
}
"""The 1.7B, and models whose size is not known."""

CARD_SHARE = 0.95  # a "24 GB" card tells 23.99 GiB, an "80 GB" one 79.6


def preset_settings(preset: str, *, is_small: bool, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a preset adds to parameters.

    Args:
        preset: memory of the GPU.
        is_small: the model has at most the 0.6B's weights.
        given: what the caller chose; it is never overruled. A method that was chosen, also by what only one method
            has, is fitted instead by recomputing activations and, in full training, 8-bit state.
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
    return {name: value for name, value in chosen.items() if name not in names}


def preset_for(total_bytes: float) -> Preset | None:
    """The largest preset whose card has no more memory than this; None: less than the smallest."""
    fitting = [name for name in LARGE if preset_gib(name) * CARD_SHARE * 2**30 <= total_bytes]
    return fitting[-1] if fitting else None  # type: ignore[return-value]


def preset_gib(preset: str) -> int:
    """Memory of a preset's card."""
    return int(preset.removesuffix("gb"))


def suggest(params: Params, given: Collection[str], settings: Settings) -> dict[str, Any]:
    """Choose what the caller left open: from a file of settings, then by the preset or the GPU of this machine.

    Args:
        params: with absolute paths.
        given: names of the parameters that the caller gave.
        settings: of the caller; with another backend than ``local`` this machine's GPU says nothing.
    """
    found = read_hyperparams(Path(params.hyperparams), given) if params.hyperparams else {}
    params, given = params.model_copy(update=found), {*given, *found}
    preset: str | None = params.preset
    if preset is None and settings.backend == "local" and params.base_model != "toy":
        memory = available_memory(settings, params.n_processes)
        preset = preset_for(memory.total) if memory is not None and memory.device == "cuda" else None
    if preset is None:
        return found
    dims = find_model_dims(params.base_model, settings)
    is_small = dims is not None and dims.weights <= RELEASED["0.6b"].weights
    known = {name: getattr(params, name) for name in given}
    return {"preset": preset} | preset_settings(preset, is_small=is_small, given=known) | found
