"""LoRA adapters in the talker: insertion, saving, and merging into plain weights in float32."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from jobs.errors import UserError
from jobs.imports import replaced

_TALKER, _PREDICTOR = r"talker\.model", r"talker\.code_predictor\.model"
_ATTENTION, _BOTH = r"self_attn\.(q|k|v|o)_proj", r"(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)"
# Patterns of the linear layers that get adapters. By default none of the code predictor: timbre is in the talker, and
# training the predictor costs naturalness (FelysNeko/qwen3-tts-post-training, STATUS.md, aligned loss).
PRESETS = {
    "attention": rf"{_TALKER}\.layers\.\d+\.{_ATTENTION}",
    "talker": rf"{_TALKER}\.layers\.\d+\.{_BOTH}",
    "all": rf"({_TALKER}|{_PREDICTOR})\.layers\.\d+\.{_BOTH}",
}
ADAPTER_NAME = "default"


def add_adapters(
    model: Any,
    *,
    r: int,
    alpha: int,
    dropout: float,
    targets: str = "talker",
    use_rslora: bool = False,
    use_dora: bool = False,
) -> Any:
    """Freeze an upstream model and insert trainable float32 adapters, in place.

    Args:
        alpha: scale of their output: alpha / r, with ``use_rslora`` alpha / sqrt(r).
        targets: a name of ``PRESETS``, or a regular expression that a layer's whole name must match, e.g.
            ``talker\\.model\\.layers\\.\\d+\\.self_attn\\.(q|v)_proj``.
        use_rslora: scale so that a larger rank does not learn more slowly.
        use_dora: also train the norm of each row of the weights.

    Returns:
        The ``PeftModel`` around it, for ``save_adapter``. Forward passes still use ``model``.

    Raises:
        UserError: ``lora_targets_unknown``: the pattern is invalid or matches no linear layer of the talker.
    """
    # bitsandbytes logs that a kernel of the hub "failed to load", which is not used here
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    pattern = PRESETS.get(targets, targets)
    _check_targets(model, targets, pattern)
    model.requires_grad_(False)
    with _only_loaded_bitsandbytes():
        from peft import LoraConfig, get_peft_model

        return get_peft_model(
            model,
            LoraConfig(
                r=r,
                lora_alpha=alpha,
                lora_dropout=dropout,
                target_modules=pattern,
                use_rslora=use_rslora,
                use_dora=use_dora,
            ),
            adapter_name=ADAPTER_NAME,
            autocast_adapter_dtype=True,  # float32 adapters also in a half-precision model
        )


@contextmanager
def _only_loaded_bitsandbytes() -> Iterator[None]:
    """Keep peft from importing bitsandbytes (1 CPU-second, measured); with quantised layers it is loaded already."""
    with replaced({"bitsandbytes": None}):
        from peft.import_utils import is_bnb_4bit_available, is_bnb_available

        answers = (is_bnb_available, is_bnb_4bit_available)  # both keep what they have found
        try:
            for answer in answers:
                answer.cache_clear()
            yield
        finally:
            for answer in answers:
                answer.cache_clear()


def _check_targets(model: Any, targets: str, pattern: str) -> None:
    try:
        found = [name for name, _ in model.named_modules() if re.fullmatch(pattern, name)]
        why = "" if found else "matches no layer of this model"
        strange = [name for name in found if not isinstance(model.get_submodule(name), torch.nn.Linear)]
        if strange:
            why = f"matches {strange[0]}, which is not a linear layer"
        if any(not name.startswith("talker.") for name in found):
            why = "matches layers outside the talker"
    except re.error as error:
        why = f"is not a regular expression: {error}"
    if why:
        raise UserError(
            "lora_targets_unknown",
            f"lora_targets {targets!r} {why}.",
            f"Use {', '.join(PRESETS)}, or a pattern for whole names such as {PRESETS['attention']}",
        )


def save_adapter(peft_model: Any, folder: Path) -> None:
    """Write adapter weights and config in peft's layout."""
    peft_model.save_pretrained(str(folder))


def quantise(model: Any, targets: str = PRESETS["talker"]) -> None:
    """Replace the talker's large linear layers by 4-bit ones (nf4), in place: a frozen base for adapters (QLoRA).

    The export is not affected, because ``merged_tensors`` adds the adapters to the weights on disk.
    """
    from bitsandbytes.nn import Linear4bit, Params4bit

    class FrozenLinear4bit(Linear4bit):  # type: ignore[misc]
        """A layer that stays in training mode: in evaluation mode a CPU repacks the weights without gradients."""

        def train(self, mode: bool = True) -> Any:
            return super().train(True)

    for name, layer in list(model.named_modules()):
        if not isinstance(layer, torch.nn.Linear) or not re.fullmatch(targets, name):
            continue
        weight = layer.weight
        with torch.device("meta"):  # draws no random numbers, which would change the adapters' initial weights
            small = FrozenLinear4bit(
                layer.in_features, layer.out_features, bias=False, compute_dtype=weight.dtype, quant_type="nf4"
            )
        small.weight = Params4bit(weight.detach().cpu(), requires_grad=False, quant_type="nf4")
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, small.to(weight.device))


def changed_weights(
    model: Any, trained: Mapping[str, torch.Tensor] = MappingProxyType({})
) -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
    """Return how training has changed the weights that it started from.

    Args:
        model: trained upstream model, with or without adapters. Its frozen weights, which may be rounded, are not
            used, nor are weights outside the talker.
        trained: weights that are taken instead of the model's, which may be divided among processes.

    Returns:
        By name, a function from the base's weight on disk to the trained one, in float32 on the CPU. Names that are
        missing were not trained.
    """
    changed: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {}
    for name, module in model.named_modules():
        if hasattr(module, "lora_A"):
            changed[f"{name}.weight"] = partial(_merge, module)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and name.startswith("talker.") and ".lora_" not in name:
            changed[name] = partial(_take, trained.get(name, parameter))
    return changed


def _merge(layer: Any, original: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        delta: torch.Tensor = layer.get_delta_weight(ADAPTER_NAME)
        merged = original.float() + delta.float().cpu()
        if ADAPTER_NAME not in layer.lora_magnitude_vector:
            return merged
        norms = layer.lora_magnitude_vector[ADAPTER_NAME].weight.float().cpu()  # of the rows, with DoRA
        scaled: torch.Tensor = merged * (norms / torch.linalg.norm(merged, dim=1))[:, None]
        return scaled


def _take(parameter: torch.Tensor, original: torch.Tensor) -> torch.Tensor:
    return parameter.detach().to("cpu", torch.float32)
