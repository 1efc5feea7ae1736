"""Optimiser: trainable weights in float32, AdamW, learning-rate schedule and gradient clipping."""

import inspect
import math
from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import nn

Freeze = Literal["none", "code_predictor", "talker"]
OptimiserName = Literal["adamw", "adamw_8bit", "paged_adamw_8bit"]
Schedule = Literal["cosine", "constant"]

NEVER_TRAINED = ("speaker_encoder.", "talker.model.text_embedding.")
"""The encoder only computes the speaker embedding; the official voices did not train the text embedding."""

PREDICTOR = "talker.code_predictor."

ADAM_BETAS = (0.9, 0.999)


# Methods of torch's optimizers that import its compiler when they are called, to keep it from tracing them.
_NOT_TRACED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


class _AdamW(torch.optim.AdamW):
    """AdamW whose step does not import torch's compiler, 0.9 CPU-seconds; only a model's layers are ever compiled."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


def unfreeze_for_full(model: nn.Module, freeze: Freeze = "none") -> None:
    """Make the weights of the talker trainable, in float32, except frozen ones.

    Args:
        freeze: ``code_predictor`` keeps the code predictor and trains the timbre, ``talker`` the reverse.
    """
    for name, parameter in model.named_parameters():
        is_predictor = name.startswith(PREDICTOR)
        is_frozen = {"none": False, "code_predictor": is_predictor, "talker": not is_predictor}[freeze]
        trains = not (is_frozen or name.startswith(NEVER_TRAINED))
        parameter.requires_grad_(trains)
        if trains and parameter.dtype != torch.float32:
            # bfloat16 is too coarse for steps of 5e-6: only about 4 % of such weights would change
            parameter.data = parameter.data.float()


def compile_layers(model: nn.Module) -> None:
    """Compile the layers of talker and code predictor in place, keeping names of weights; takes minutes at first."""
    for stack in ("talker.model", "talker.code_predictor.model"):
        for layer in model.get_submodule(stack).layers:  # type: ignore[union-attr]
            layer.compile(dynamic=True)


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the trained parameters by name, in a fixed order."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def make_optimiser(
    model: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    name: OptimiserName = "adamw",
    own: Mapping[str, nn.Parameter] | None = None,
) -> torch.optim.Optimizer:
    """Make AdamW over the trained parameters. Weight decay is for matrices only: not for norms, biases, nor embeddings,
    whose rows that do not occur in training (other speakers) would shrink.

    Args:
        name: ``adamw_8bit`` keeps both moments in 8 bits, ``paged_adamw_8bit`` also lets them move to main memory.
        own: this process's parts of the parameters; they are trained instead of the whole ones.
    """
    embeddings = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Embedding)}
    parameters = trainable(model) if own is None else own
    decays = [each for name, each in parameters.items() if each.dim() > 1 and name not in embeddings]
    stays = [each for name, each in parameters.items() if each.dim() <= 1 or name in embeddings]
    groups = [{"params": decays, "weight_decay": weight_decay}, {"params": stays, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    _call_untraced()
    if name == "adamw":
        return _AdamW(groups, lr=lr, betas=ADAM_BETAS, fused=True)
    from bitsandbytes.optim import AdamW8bit, PagedAdamW8bit

    kind = AdamW8bit if name == "adamw_8bit" else PagedAdamW8bit
    optimiser: torch.optim.Optimizer = kind(groups, lr=lr, betas=ADAM_BETAS)
    return optimiser


def _call_untraced() -> None:
    """Let torch call some methods of its optimizers as they are: what it would wrap them with is in its compiler."""
    for name in _NOT_TRACED:
        method = inspect.unwrap(getattr(torch.optim.Optimizer, name))
        vars(method).setdefault("__dynamo_disable", method)


def learning_rate(
    step: int,
    *,
    peak: float,
    warmup_steps: int,
    total_steps: int,
    schedule: Schedule = "cosine",
    min_share: float = 0.0,
) -> float:
    """Compute the learning rate of a step, counted from 0: linear warm-up to the peak, then half a cosine to
    ``min_share`` of the peak, or constant.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    if schedule == "constant":
        return peak
    done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return peak * (min_share + (1 - min_share) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def set_learning_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of every group."""
    for group in optimiser.param_groups:
        group["lr"] = lr


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> float:
    """Scale gradients so that their norm is at most ``max_norm``, and return the norm before."""
    return float(nn.utils.clip_grad_norm_(parameters, max_norm))
