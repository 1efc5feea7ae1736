"""Memory that autograd saves of a transformer layer, see ``jobs.qwen.train.fused_functions``."""

from dataclasses import dataclass

from jobs.training.planning.model_dims import StackDims

FLOAT32, HALF = 4, 2
"""Bytes of a number; half precision is bfloat16 or float16."""


@dataclass(frozen=True)
class SavedActivations:
    """Memory that autograd saves of one layer, in bytes per position."""

    per_position: float
    input: float

    def total(self, positions: int, n_layers: int, *, checkpointing: bool) -> float:
        """Compute the bytes of all layers; with ``checkpointing`` only their inputs are saved."""
        return positions * n_layers * (self.input if checkpointing else self.per_position)


def saved_of_layer(
    stack: StackDims,
    how: str,
    short: int,
    half: bool,
    *,
    mlp: bool,
    wide: bool,
    dora: bool = False,
    matrix: int = 0,
    shares_keys: bool = True,
) -> SavedActivations:
    """Compute the activations that autograd saves for the backward pass of one layer; see ``fused_functions``.

    Args:
        how: ``full``, ``lora``, ``frozen`` (gradients pass through) or ``none`` (no gradient reaches it).
        short: positions of a short sequence, whose attention matrix a CPU keeps; 0: a long one.
        half: half-precision arithmetic on a GPU.
        mlp: adapters are also in the MLP.
        wide: the residual stream is float32 nevertheless, because it starts with a float32 embedding.
        matrix: positions of a sequence whose attention matrix is kept: of ``attention=math``, which is float32.
        shares_keys: in half precision keys and values are not repeated for each query head: flash attention.
        dora: modules with adapters save the outputs of both, for the gradient of the sizes of their rows.
    """
    if how == "none":
        return SavedActivations(0.0, 0.0)
    d, q, k, m, heads = stack.hidden, stack.query, stack.key, stack.intermediate, stack.n_heads
    element = HALF if half else FLOAT32
    stream = FLOAT32 if wide or not half else HALF
    saved = stream * 2 * d + element * (q + k)  # the norms' inputs
    saved += FLOAT32 * (2 + heads + stack.n_kv_heads)  # and their inverse deviations
    if how != "frozen":  # inputs of the linear modules; autocast casts them separately for each of the five
        saved += element * (5 if half else 2) * d
    saved += element * 2 * m  # gate and up
    if how == "lora" and mlp:
        saved += element * m
    if how == "lora" and dora:
        saved += element * 2 * stack.outputs(mlp=mlp)
    if matrix and not short:  # q, k and v with the width of the query heads, the matrix, the output
        saved += FLOAT32 * (3 * q + heads * matrix) + element * q * (how != "frozen")
    elif half:  # flash attention: q, k, v, output, and a log-sum per head
        saved += element * (2 * q + 2 * (k if shares_keys else q)) + FLOAT32 * heads
    elif short:  # q, k, v, the attention matrix, and the output for the gradient of its projection
        saved += FLOAT32 * (q + 2 * k + heads * short + (q if how != "frozen" else 0))
    else:  # q, k and v with the width of the query heads, output, and a log-sum per head
        saved += FLOAT32 * (4 * q + heads)
    return SavedActivations(saved, stream * d)


def count_temporary(stack: StackDims) -> float:
    """Count the elements per position that exist only during the backward pass of a layer."""
    return 3 * stack.intermediate + stack.hidden
