"""LoRA adapters in the talker: put in, saved beside the export, and merged into plain weights once, in float32."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

# The talker's layers, attention and MLP. The code predictor is left alone: timbre lives in the talker, and a
# predictor that learns costs naturalness (FelysNeko/qwen3-tts-post-training, STATUS.md, aligned loss).
TARGETS = r"talker\.model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)"
ADAPTER_NAME = "default"


def add_adapters(model: Any, *, r: int, alpha: int, dropout: float) -> Any:
    """Freeze a stock model and put trainable float32 adapters into it, in place.

    Returns:
        The ``PeftModel`` around it, for ``save_adapter``; forward passes go through ``model`` as before.
    """
    from peft import LoraConfig, get_peft_model

    model.requires_grad_(False)
    return get_peft_model(
        model,
        LoraConfig(r=r, lora_alpha=alpha, lora_dropout=dropout, target_modules=TARGETS),
        adapter_name=ADAPTER_NAME,
        autocast_adapter_dtype=True,  # float32 adapters also in a bfloat16 model
    )


def save_adapter(peft_model: Any, folder: Path) -> None:
    """Write adapter weights and config in peft's own layout."""
    peft_model.save_pretrained(str(folder))


def merged_weights(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the native (name, tensor) pairs of a stock model, adapters merged in float32, the model left as it is.

    Tensors without adapter come in the model's dtype and may share its memory; merged ones are new and float32.
    """
    from peft.tuners.lora import LoraLayer

    adapted = {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}
    for name, tensor in model.state_dict().items():
        owner, _, leaf = name.rpartition(".")
        if owner.endswith(".base_layer") and owner.removesuffix(".base_layer") in adapted:
            plain = owner.removesuffix(".base_layer")
            yield f"{plain}.{leaf}", _merged(adapted[plain], tensor, leaf)
        elif ".lora_" not in name:
            yield name, tensor


def _merged(layer: Any, tensor: torch.Tensor, leaf: str) -> torch.Tensor:
    if leaf != "weight":
        return tensor
    with torch.no_grad():
        delta: torch.Tensor = layer.get_delta_weight(ADAPTER_NAME)
        return tensor.float() + delta.float()
