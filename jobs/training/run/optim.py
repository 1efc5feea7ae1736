"""What learns and how fast: trainable weights in float32, AdamW, warm-up and a schedule."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import nn

Freeze = Literal["none", "code_predictor", "talker"]
OptimiserName = Literal["adamw", "adamw_8bit", "paged_adamw_8bit"]
Schedule = Literal["cosine", "constant"]

NEVER_TRAINED = ("speaker_encoder.", "talker.model.text_embedding.")
"""The encoder only makes the reference vector; the official voices left the text embedding alone."""

PREDICTOR = "talker.code_predictor."

ADAM_BETAS = (0.9, 0.999)


def unfreeze_for_full(model: nn.Module, freeze: Freeze = "none") -> None:
    """Let the weights of the talker learn, in float32, except what never does and what is to stay.

    Args:
        model: stock model.
        freeze: ``code_predictor`` keeps the predictor's skill and trains timbre alone, ``talker`` the other way round.
    """
    for name, parameter in model.named_parameters():
        is_predictor = name.startswith(PREDICTOR)
        stays = {"none": False, "code_predictor": is_predictor, "talker": not is_predictor}[freeze]
        trains = not (stays or name.startswith(NEVER_TRAINED))
        parameter.requires_grad_(trains)
        if trains and parameter.dtype != torch.float32:
            # bfloat16 swallows steps of 5e-6: only about 4 % of such weights would move at all
            parameter.data = parameter.data.float()


def compile_layers(model: nn.Module) -> None:
    """Compile the layers of talker and code predictor in place; names of weights stay. Minutes at the first steps."""
    for stack in ("talker.model", "talker.code_predictor.model"):
        for layer in model.get_submodule(stack).layers:  # type: ignore[union-attr]
            layer.compile(dynamic=True)


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Name and parameter of everything that learns, in a fixed order."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def make_optimiser(
    model: nn.Module, *, lr: float, weight_decay: float, name: OptimiserName = "adamw"
) -> torch.optim.Optimizer:
    """AdamW over what learns. Weight decay pulls matrices only: not norms, biases, nor embeddings, of which rows
    that never occur in training (other speakers) would fade.

    Args:
        model: what requires a gradient learns.
        lr: peak learning rate.
        weight_decay: of matrices.
        name: ``adamw_8bit`` keeps both moments in 8 bits, ``paged_adamw_8bit`` also lets them move to main memory.
    """
    embeddings = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters()
    }
    parameters = trainable(model).values()
    decays = [p for p in parameters if p.dim() > 1 and id(p) not in embeddings]
    stays = [p for p in parameters if p.dim() <= 1 or id(p) in embeddings]
    groups = [{"params": decays, "weight_decay": weight_decay}, {"params": stays, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=lr, betas=ADAM_BETAS, fused=True)
    from bitsandbytes.optim import AdamW8bit, PagedAdamW8bit

    kind = AdamW8bit if name == "adamw_8bit" else PagedAdamW8bit
    optimiser: torch.optim.Optimizer = kind(groups, lr=lr, betas=ADAM_BETAS)
    return optimiser


def learning_rate(
    step: int, *, peak: float, warmup_steps: int, total_steps: int, schedule: Schedule = "cosine"
) -> float:
    """Learning rate of optimiser step ``step`` (from 0): linear from peak/warmup to peak, then half a cosine to 0, or
    the peak to the end.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    if schedule == "constant":
        return peak
    done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def set_learning_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of every group."""
    for group in optimiser.param_groups:
        group["lr"] = lr


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> float:
    """Scale gradients so that their norm is at most ``max_norm``; returns the norm before."""
    return float(nn.utils.clip_grad_norm_(parameters, max_norm))
