"""Checks of what a checkpoint's file holds: a stranger may have made the folder that a run resumes from.

Kernels of optimizers do not check the sizes of their state, so each tensor must have that of its weight.
"""

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

import torch
from torch import nn

FLOATS = (torch.float32, torch.float16, torch.bfloat16)
# State of torch's AdamW and of bitsandbytes' (0.50): moments as large as the weight, of 8 bits with their tables.
MOMENTS = frozenset({"exp_avg", "exp_avg_sq", "state1", "state2"})
TABLES = frozenset({"qmap1", "qmap2", "absmax1", "absmax2"})
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
    for number, entries in state.items():
        if type(number) is not int or number not in by_number or not isinstance(entries, dict):
            raise ValueError("its optimizer has other parameters")
        wrapped = entries.get(WRAPPED, {})
        if not isinstance(wrapped, dict):
            raise ValueError("the state of its optimizer is unknown")
        _check_entries({**{key: entries[key] for key in entries if key != WRAPPED}, **wrapped}, by_number[number])
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


def _check_entries(entries: Mapping[str, Any], parameter: nn.Parameter) -> None:
    for name, value in entries.items():
        if name == "step":
            is_fit = type(value) in (int, float) or (_is_plain(value) and value.numel() == 1)
        elif name in MOMENTS:
            is_fit = _is_plain(value) and value.shape == parameter.shape and value.dtype in (*FLOATS, torch.uint8)
            is_fit = is_fit and _lies_like(value, parameter)
        elif name in TABLES:
            rows = TABLE_ROWS if name.startswith("qmap") else -(-parameter.numel() // BLOCK_SIZE)
            is_fit = _is_plain(value) and value.shape == (rows,) and value.dtype == torch.float32
            is_fit = is_fit and value.is_contiguous()
        else:
            is_fit = False
        if not is_fit:
            raise ValueError(f"the state {str(name)[:50]!r} of its optimizer does not fit the weights")
    names = set(entries)
    is_packed = any(entries[name].dtype == torch.uint8 for name in names & MOMENTS)
    if names and not (names >= {"step", "exp_avg", "exp_avg_sq"} or names >= {"step", "state1", "state2"}):
        raise ValueError("the state of its optimizer is not whole")
    if is_packed and not names >= TABLES:
        raise ValueError("the state of its optimizer lacks tables")


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
