"""Layers of talker and code predictor that compute with ``fused_functions``: faster, and less memory in training.

They are upstream's modules with another ``forward``: names of weights, adapters and gradient checkpointing are not
affected. ``tests/jobs/qwen/train/test_fused_layers.py`` compares outputs and gradients with upstream's.
"""

from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from jobs.codec_format import N_CODEBOOKS
from jobs.qwen.train.fused_functions import (
    GatedActivation,
    GatedProjection,
    NormRotate,
    Projection,
    RMSNorm,
    ShortAttention,
)

STACKS = ("talker.model", "talker.code_predictor.model")


def fuse_layers(model: nn.Module) -> None:
    """Make the layers of a model compute with ``fused_functions``, in place."""
    for name in STACKS:
        stack: Any = model.get_submodule(name)
        stack.norm.forward = MethodType(_norm, stack.norm)
        for path, module in stack.layers.named_modules():
            if type(module) is nn.Linear and module.bias is None and "lora_" not in path:
                module.forward = MethodType(_linear, module)
        for layer in stack.layers:
            for norm in (layer.input_layernorm, layer.post_attention_layernorm):
                norm.forward = MethodType(_norm, norm)
            layer.mlp.forward = MethodType(_mlp, layer.mlp)
            layer.self_attn.forward = MethodType(_attention, layer.self_attn)


def _linear(linear: Any, x: torch.Tensor) -> torch.Tensor:
    if x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return F.linear(x, linear.weight)
    return Projection.apply(x, linear.weight)  # type: ignore[no-untyped-call,no-any-return]


def _norm(norm: Any, x: torch.Tensor) -> torch.Tensor:
    return RMSNorm.apply(x, norm.weight, norm.variance_epsilon)  # type: ignore[no-untyped-call,no-any-return]


def _mlp(mlp: Any, x: torch.Tensor) -> torch.Tensor:
    gate, up = mlp.gate_proj(x), mlp.up_proj(x)
    if type(mlp.down_proj) is nn.Linear and mlp.down_proj.bias is None:
        return GatedProjection.apply(gate, up, mlp.down_proj.weight)
    return mlp.down_proj(GatedActivation.apply(gate, up))  # type: ignore[no-untyped-call,no-any-return]


def _attention(
    attention: Any,
    hidden_states: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor],
    attention_mask: torch.Tensor | None,
    past_key_values: None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Compute attention as upstream's modules do, without a cache.

    Args:
        position_embeddings: cosines and sines (batch, time, d); the talker's have a first dimension for three kinds of
            positions, which are the same for speech.
        attention_mask: None for causal attention.
    """
    assert past_key_values is None
    heads = (*hidden_states.shape[:-1], -1, attention.head_dim)
    cos, sin = (_half(part) for part in position_embeddings)
    query, key = (
        NormRotate.apply(projected.view(heads), norm.weight, norm.variance_epsilon, cos, sin)  # type: ignore[no-untyped-call]
        for projected, norm in (
            (attention.q_proj(hidden_states), attention.q_norm),
            (attention.k_proj(hidden_states), attention.k_norm),
        )
    )
    value = attention.v_proj(hidden_states).view(heads).transpose(1, 2)
    out = attend(query, key, value, attention_mask, attention.scaling)
    return attention.o_proj(out.transpose(1, 2).flatten(2)), None


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float
) -> torch.Tensor:
    """Compute attention; without a mask causal. Keys and values may have fewer heads than queries."""
    is_half = query.device.type != "cpu" and query.dtype != torch.float32
    if is_half and torch.backends.cuda.flash_sdp_enabled():  # type: ignore[no-untyped-call]  # shares keys among queries
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=True
        )
    if mask is None and query.shape[2] <= N_CODEBOOKS and query.device.type == "cpu":
        return ShortAttention.apply(query, key, value, scaling)  # type: ignore[no-untyped-call,no-any-return]
    n_repeats = query.shape[1] // key.shape[1]
    if n_repeats > 1:  # in float32 enable_gqa would keep the whole attention matrix for the backward pass
        key, value = (part.repeat_interleave(n_repeats, dim=1) for part in (key, value))
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=mask is None, scale=scaling)


def _half(table: torch.Tensor) -> torch.Tensor:
    """Return the (batch, time, 1, d / 2) table of the first half of the dimensions; the second half is the same."""
    while table.dim() > 3:
        table = table[0]
    return table[..., None, : table.shape[-1] // 2].float()
