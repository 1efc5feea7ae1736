"""LoRA adapters in the talker: put in, saved beside the export, and merged into plain weights once, in float32."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from jobs.errors import UserError

_TALKER, _PREDICTOR = r"talker\.model", r"talker\.code_predictor\.model"
_ATTENTION, _BOTH = r"self_attn\.(q|k|v|o)_proj", r"(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)"
# Which linear layers get adapters, by name. The code predictor is left alone by default: timbre lives in the talker,
# and a predictor that learns costs naturalness (FelysNeko/qwen3-tts-post-training, STATUS.md, aligned loss).
PRESETS = {
    "attention": rf"{_TALKER}\.layers\.\d+\.{_ATTENTION}",
    "talker": rf"{_TALKER}\.layers\.\d+\.{_BOTH}",
    "all": rf"({_TALKER}|{_PREDICTOR})\.layers\.\d+\.{_BOTH}",
}
ADAPTER_NAME = "default"


def add_adapters(
    model: Any, *, r: int, alpha: int, dropout: float, targets: str = "talker", use_rslora: bool = False
) -> Any:
    """Freeze a stock model and put trainable float32 adapters into it, in place.

    Args:
        model: stock model.
        r: rank of the adapters.
        alpha: their output is scaled by alpha / r, with ``use_rslora`` by alpha / sqrt(r).
        dropout: of their input.
        targets: a name of ``PRESETS``, or a regular expression that a layer's whole name must match, e.g.
            ``talker\\.model\\.layers\\.\\d+\\.self_attn\\.(q|v)_proj``.
        use_rslora: scale so that a larger rank does not learn more slowly.

    Returns:
        The ``PeftModel`` around it, for ``save_adapter``; forward passes go through ``model`` as before.

    Raises:
        UserError: ``lora_targets_unknown`` when the pattern is broken or names no linear layer of the talker.
    """
    # it logs that a kernel of the hub, which nothing here uses, "failed to load": a reader would look for the fault
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    from peft import LoraConfig, get_peft_model

    pattern = PRESETS.get(targets, targets)
    _check_targets(model, targets, pattern)
    model.requires_grad_(False)
    return get_peft_model(
        model,
        LoraConfig(r=r, lora_alpha=alpha, lora_dropout=dropout, target_modules=pattern, use_rslora=use_rslora),
        adapter_name=ADAPTER_NAME,
        autocast_adapter_dtype=True,  # float32 adapters also in a bfloat16 model
    )


def _check_targets(model: Any, targets: str, pattern: str) -> None:
    try:
        found = [name for name, _ in model.named_modules() if re.fullmatch(pattern, name)]
        why = "" if found else "matches no layer of this model"
        strange = [name for name in found if not isinstance(model.get_submodule(name), torch.nn.Linear)]
        if strange:
            why = f"matches {strange[0]}, which is no linear layer"
        if any(not name.startswith("talker.") for name in found):
            why = "matches layers outside the talker"
    except re.error as error:
        why = f"is no regular expression: {error}"
    if why:
        raise UserError(
            "lora_targets_unknown",
            f"lora_targets {targets!r} {why}.",
            f"Use {', '.join(PRESETS)}, or a pattern for whole names such as {PRESETS['attention']}",
        )


def save_adapter(peft_model: Any, folder: Path) -> None:
    """Write adapter weights and config in peft's own layout."""
    peft_model.save_pretrained(str(folder))


def quantise(model: Any, targets: str = PRESETS["talker"]) -> None:
    """Replace the talker's large linear layers by 4-bit ones (nf4), in place: the frozen base under adapters (QLoRA).

    The export does not suffer: ``learnt`` adds what the adapters learnt to the weights on disk.
    """
    from bitsandbytes.nn import Linear4bit, Params4bit

    class FrozenLinear4bit(Linear4bit):  # type: ignore[misc]
        """Always in training mode: in the other one a CPU packs the weights anew, into a form without gradients."""

        def train(self, mode: bool = True) -> Any:
            return super().train(True)

    for name, layer in list(model.named_modules()):
        if not isinstance(layer, torch.nn.Linear) or not re.fullmatch(targets, name):
            continue
        weight = layer.weight
        with torch.device("meta"):  # draws nothing: the dice are the adapters'
            small = FrozenLinear4bit(
                layer.in_features, layer.out_features, bias=False, compute_dtype=weight.dtype, quant_type="nf4"
            )
        small.weight = Params4bit(weight.detach().cpu(), requires_grad=False, quant_type="nf4")
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, small.to(weight.device))


def learnt(model: Any, natives: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    """Put what a model has learnt on top of the weights that it started from.

    Args:
        model: trained stock model, with or without adapters. Its frozen weights, which may be rounded, are not used,
            nor is anything outside the talker.
        natives: (name, tensor) of the base on disk.

    Yields:
        (name, the base's tensor, the learnt tensor: float32 on the CPU; the base's own if nothing learnt it).

    Raises:
        KeyError: something has learnt that the base does not hold.
    """
    from peft.tuners.lora import LoraLayer

    adapted = {f"{name}.weight": module for name, module in model.named_modules() if isinstance(module, LoraLayer)}
    trained = {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and name.startswith("talker.") and ".lora_" not in name
    }
    for name, original in natives:
        if name in adapted:
            yield name, original, _merged(adapted.pop(name), original)
        elif name in trained:
            yield name, original, trained.pop(name).detach().to("cpu", torch.float32, copy=True)
        else:
            yield name, original, original
    if adapted or trained:
        raise KeyError(f"not in the base: {', '.join([*adapted, *trained])}")


def _merged(layer: Any, original: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        delta: torch.Tensor = layer.get_delta_weight(ADAPTER_NAME)
        return original.float() + delta.float().cpu()
