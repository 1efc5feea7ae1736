"""Checks of what a checkpoint's file holds: a stranger may have made the folder that a run resumes from.

Kernels of optimizers do not check the sizes of their state, so each tensor must have that of its weight.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import torch
from torch import nn

FLOATS = (torch.float32, torch.float16, torch.bfloat16)
TABLES = frozenset({"qmap1", "qmap2", "absmax1", "absmax2"})
# State of torch's AdamW and of bitsandbytes' (0.50) beside the step: moments as large as the weight, in these formats,
# of 8 bits with their tables. Their kernels believe the format that the names and the first moment say.
PLAIN, PACKED = frozenset({"exp_avg", "exp_avg_sq"}), frozenset({"state1", "state2"})
MOMENTS = PLAIN | PACKED
TORCH_STATES = ((PLAIN, FLOATS),)
BITSANDBYTES_STATES = ((PACKED, (torch.float32,)), (PACKED | TABLES, (torch.uint8,)))
TABLE_ROWS, BLOCK_SIZE = 256, 256
WRAPPED = "__bnb_optimizer_quant_state__"
SCALER = frozenset({"scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"})


def check_weights(weights: Any, parameters: Mapping[str, nn.Parameter]) -> None:
    """Check that all parameters are there, in their shapes.

    Raises:
        ValueError: naming the first that is missing or unlike.
    """
    if not isinstance(weights, dict):
        raise ValueError("it holds no weights")
    for name, parameter in parameters.items():
        tensor = weights.get(name)
        if not _is_plain(tensor) or tensor.dtype not in FLOATS:
            raise ValueError(f"it lacks the weights {name}")
        if tensor.shape != parameter.shape:
            raise ValueError(f"{name} has shape {list(tensor.shape)}, the model's {list(parameter.shape)}")


def own_optimiser_state(saved: Any, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """Return a saved state with the optimizer's own settings instead of the saved ones.

    Raises:
        ValueError: the state does not fit the optimizer's parameters.
    """
    own = optimiser.state_dict()
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    numbers = [number for group in own["param_groups"] for number in group["params"]]
    state = saved.get("state") if isinstance(saved, dict) else None
    if not isinstance(state, dict):
        raise ValueError("it holds no state of an optimizer")
    by_number = dict(zip(numbers, parameters, strict=True))
    is_torch = isinstance(optimiser, torch.optim.AdamW)
    for number, entries in state.items():
        if type(number) is not int or number not in by_number or not isinstance(entries, dict):
            raise ValueError("its optimizer has other parameters")
        plain = {name: value for name, value in entries.items() if name != WRAPPED}
        wrapped = entries.get(WRAPPED, {})
        if not isinstance(wrapped, dict) or plain.keys() & wrapped.keys() or (wrapped and is_torch):
            raise ValueError("the state of its optimizer is unknown")
        _check_entries(plain | wrapped, by_number[number], TORCH_STATES if is_torch else BITSANDBYTES_STATES)
    return {"state": state, "param_groups": own["param_groups"]}


def check_scaler(scaler: Any) -> None:
    """Check the state of a loss scaler, empty without one.

    Raises:
        ValueError: it is another one.
    """
    if not isinstance(scaler, dict) or (scaler and set(scaler) != SCALER):
        raise ValueError("it holds no state of a loss scaler")
    if not all(type(value) in (int, float) and math.isfinite(value) and value >= 0 for value in scaler.values()):
        raise ValueError("the state of its loss scaler is no number")


def _check_entries(
    entries: Mapping[str, Any],
    parameter: nn.Parameter,
    states: Sequence[tuple[frozenset[str], tuple[torch.dtype, ...]]],
) -> None:
    """Check the entries of one weight: none, or those of one of the states."""
    if not entries:
        return
    formats = next((formats for names, formats in states if entries.keys() == names | {"step"}), None)
    if formats is None:
        names = ", ".join(sorted(str(name)[:50] for name in list(entries)[:10]))
        raise ValueError(f"the state of its optimizer is another one's: {names}")
    for name, value in entries.items():
        if name == "step":
            is_fit = type(value) in (int, float) or (_is_plain(value) and value.numel() == 1)
        elif name in TABLES:
            rows = TABLE_ROWS if name.startswith("qmap") else -(-parameter.numel() // BLOCK_SIZE)
            is_fit = _is_plain(value) and value.shape == (rows,) and value.dtype == torch.float32
            is_fit = is_fit and value.is_contiguous()
        else:
            is_fit = _is_plain(value) and value.shape == parameter.shape and value.dtype in formats
            is_fit = is_fit and _lies_like(value, parameter)
        if not is_fit:
            raise ValueError(f"the state {name!r} of its optimizer does not fit the weights")


def _lies_like(value: torch.Tensor, parameter: nn.Parameter) -> bool:
    """True for numbers in the order of the weight's: fused kernels take both as they lie in memory."""
    return value.is_contiguous() if parameter.is_contiguous() else value.stride() == parameter.stride()


def _is_plain(value: Any) -> TypeGuard[torch.Tensor]:
    """True for a dense tensor with its numbers in main memory."""
    return (
        type(value) in (torch.Tensor, nn.Parameter)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
    )
