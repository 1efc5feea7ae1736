"""The layers of talker or code predictor with key-value caches of fixed size, for frames of several takes at once.

Computes what upstream's modules compute, with fewer operations: one product for queries, keys and values, one for gate
and up, one rotation for queries and keys. Keys and values are written where they stay; nothing grows with the frames.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from jobs.qwen.speech.matrices import Matrix


@dataclass(frozen=True)
class _Layer:
    """Weights of a layer; ``qkv`` and ``gate_up`` are (out, in) with the rows of several of upstream's modules."""

    input_norm: Tensor
    qkv: Matrix
    qk_norm: Tensor
    out: Matrix
    mlp_norm: Tensor
    gate_up: Matrix
    down: Matrix

    @property
    def matrices(self) -> list[Matrix]:
        """Matrices of the layer."""
        return [self.qkv, self.out, self.gate_up, self.down]

    def pack(self, n_rows: int) -> _Layer:
        """Return the layer with packed matrices."""
        names = ("qkv", "out", "gate_up", "down")
        return replace(self, **{name: getattr(self, name).pack(n_rows) for name in names})


class StackWeights:
    """Weights of a stack of upstream's, joined for fewer products. The modules keep working: they share the memory."""

    def __init__(self, model: Any) -> None:
        """Join the weights of ``talker.model`` or ``code_predictor.model``.

        Raises:
            ValueError: the stack is of another architecture than the released models.
        """
        config = model.config
        _check(config)
        self.model = model
        self.n_heads, self.n_kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.head_dim = model.layers[0].self_attn.head_dim
        self.eps = config.rms_norm_eps
        self.final_norm: Tensor = model.norm.weight
        self.layers = [self._join(layer) for layer in model.layers]

    def _join(self, layer: Any) -> _Layer:
        attention, mlp = layer.self_attn, layer.mlp
        return _Layer(
            input_norm=layer.input_layernorm.weight,
            qkv=_joined(attention.q_proj, attention.k_proj, attention.v_proj),
            qk_norm=torch.cat(
                [
                    attention.q_norm.weight.expand(self.n_heads, -1),
                    attention.k_norm.weight.expand(self.n_kv_heads, -1),
                ]
            ),
            out=Matrix(attention.o_proj.weight),
            mlp_norm=layer.post_attention_layernorm.weight,
            gate_up=_joined(mlp.gate_proj, mlp.up_proj),
            down=Matrix(mlp.down_proj.weight),
        )

    @property
    def matrices(self) -> list[Matrix]:
        """Matrices of all layers."""
        return [matrix for layer in self.layers for matrix in layer.matrices]

    def pack(self, n_rows: int) -> StackWeights:
        """Return the weights with packed matrices in all layers, for products of several rows."""
        packed = copy(self)
        packed.layers = [layer.pack(n_rows) for layer in self.layers]
        return packed

    def rotations(self, n_positions: int) -> Tensor:
        """Return the rotary embedding (positions, 1, 2 * head_dim): cosines, and sines of ``roll`` for ``_rotate``."""
        at = torch.arange(n_positions, device=self.final_norm.device)[None]
        is_talker = "mrope_section" in (getattr(self.model.config, "rope_scaling", None) or {})
        cosines, sines = self.model.rotary_emb(self.final_norm, at.expand(3, 1, -1) if is_talker else at)
        if is_talker:  # time, height and width of a position are the same for speech
            cosines, sines = cosines[0], sines[0]
        half = self.head_dim // 2
        signed = torch.cat([-sines[..., :half], sines[..., half:]], -1)
        rotations: Tensor = torch.cat([cosines, signed], -1)[0, :, None]
        return rotations


class CachedStack:
    """A stack with caches for a number of rows; each row is a take."""

    def __init__(self, weights: StackWeights, n_rows: int, n_positions: int) -> None:
        self.weights = weights
        self.n_rows = n_rows
        self.n_positions = n_positions
        self.rotations = weights.rotations(n_positions)
        like = weights.final_norm
        shape = (n_rows * n_positions, weights.n_kv_heads, weights.head_dim)
        self._keys = [like.new_zeros(shape) for _ in weights.layers]
        self._values = [like.new_zeros(shape) for _ in weights.layers]

    @property
    def n_bytes(self) -> int:
        """Memory of the caches."""
        return sum(cache.nbytes for cache in (*self._keys, *self._values))

    def grow(self, n_positions: int) -> None:
        """Make place for more positions; what is cached stays."""
        for caches in (self._keys, self._values):
            for number, cache in enumerate(caches):
                rows = cache.view(self.n_rows, self.n_positions, *cache.shape[1:])
                grown = cache.new_zeros(self.n_rows, n_positions, *cache.shape[1:])
                grown[:, : self.n_positions] = rows
                caches[number] = grown.flatten(0, 1)
        self.n_positions = n_positions
        self.rotations = self.weights.rotations(n_positions)

    def forward(
        self, x: Tensor, write_at: Tensor, rotations: Tensor, rows: slice, length: int, mask: Tensor | None
    ) -> Tensor:
        """Process the next positions of some rows, n of each.

        Args:
            x: (rows * n, width), all positions of a row before those of the next.
            write_at: (rows * n,) where keys and values go: row * n_positions + position.
            rotations: (rows * n, 1, 2 * head_dim), of the positions.
            rows: the rows.
            length: number of first positions that may be looked at.
            mask: what each position looks at, broadcast to (rows, 1, n * groups, length); None: all.

        Returns:
            (rows * n, width), normalised.
        """
        weights, d = self.weights, self.weights.head_dim
        heads, kv_heads = weights.n_heads, weights.n_kv_heads
        n_rows = rows.stop - rows.start
        n = len(x) // n_rows
        groups = heads // kv_heads
        cosines, sines = rotations[..., :d], rotations[..., d:]
        for layer, keys, values in zip(weights.layers, self._keys, self._values, strict=True):
            qkv = layer.qkv.times(F.rms_norm(x, x.shape[-1:], layer.input_norm, weights.eps))
            qkv = qkv.view(len(x), heads + 2 * kv_heads, d)
            qk = F.rms_norm(qkv[:, : heads + kv_heads], (d,), None, weights.eps) * layer.qk_norm
            qk = torch.addcmul(qk * cosines, qk.roll(d // 2, -1), sines)
            keys.index_copy_(0, write_at, qk[:, heads:])
            values.index_copy_(0, write_at, qkv[:, heads + kv_heads :])
            # a head's group looks at the same keys: as if each were a position more
            queries = (
                qk[:, :heads]
                .view(n_rows, n, kv_heads, groups, d)
                .transpose(1, 2)
                .reshape(n_rows, kv_heads, n * groups, d)
            )
            seen_keys, seen_values = (
                cache.view(self.n_rows, self.n_positions, kv_heads, d)[rows, :length].transpose(1, 2)
                for cache in (keys, values)
            )
            heard = F.scaled_dot_product_attention(queries, seen_keys, seen_values, attn_mask=mask)
            heard = heard.view(n_rows, kv_heads, n, groups, d).transpose(1, 2).reshape(len(x), heads * d)
            x = layer.out.times_plus(heard, x)
            gate, up = layer.gate_up.times(F.rms_norm(x, x.shape[-1:], layer.mlp_norm, weights.eps)).chunk(2, -1)
            x = layer.down.times_plus(F.silu(gate).mul_(up), x)
        return F.rms_norm(x, x.shape[-1:], weights.final_norm, weights.eps)


def causal_mask(n: int, groups: int, device: torch.device) -> Tensor:
    """Return what n first positions look at, (n * groups, n): those before them and themselves."""
    return torch.ones(n, n, dtype=torch.bool, device=device).tril().repeat_interleave(groups, 0)


def _joined(*linears: Any) -> Matrix:
    """Join the rows of weights, and make the modules' weights views of the whole."""
    whole = torch.cat([linear.weight.detach() for linear in linears])
    first = 0
    for linear in linears:
        linear.weight.data = whole[first : first + linear.out_features]
        first += linear.out_features
    return Matrix(whole)


def _check(config: Any) -> None:
    """Check that a stack is built as the released ones."""
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    rope = getattr(config, "rope_scaling", None) or {}
    window = getattr(config, "sliding_window", None)
    expected = {
        "sliding_window": (window, None),
        "attention_bias": (config.attention_bias, False),
        "hidden_act": (config.hidden_act, "silu"),
        "layer_types": (kinds, {"full_attention"}),
        "rope_type": (rope.get("rope_type", "default"), "default"),
    }
    for name, (found, released) in expected.items():
        if found != released:
            raise ValueError(f"{name} is {found!r}; the released models have {released!r}")
