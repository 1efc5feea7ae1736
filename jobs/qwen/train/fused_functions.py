"""Operations of a transformer layer whose gradient is written out: fewer passes over memory, less saved by autograd.

Each computes what upstream's modules compute, in float32 where they do. Half precision under autocast gives the same
number formats as upstream's modules.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch.autograd import Function
from torch.autograd.function import once_differentiable

LOSS_ROWS = 512
"""Labels whose logits exist at the same time."""
FLOAT16_SCALE = 1024.0


def times_transposed(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Compute ``x @ weight.T``, on a CPU in float32 by oneDNN.

    torch takes MKL there, which is slower on processors of AMD: measured 87 against 98 GFLOP/s a core forward, 86
    against 102 for the gradient of the input (EPYC of 2022, layers of the bench's 60 M model).
    """
    if x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32 and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
        return product
    return x @ weight.t()


class Projection(Function):
    """``x @ weight.T`` by ``times_transposed``; saves what the gradients need."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Compute (..., out) of x (..., in) and a weight (out, in)."""
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        return times_transposed(x, weight)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Compute the gradients of input and weight."""
        x, weight = ctx.saved_tensors
        return (
            times_transposed(grad, weight.t()) if ctx.needs_input_grad[0] else None,
            None if x is None else _grad_of_weight(weight, grad, x),
        )


class RMSNorm(Function):
    """Normalisation of the last dimension by its root mean square; saves its input only."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
        """Compute ``weight * x / rms(x)``, in float32 inside.

        Args:
            x: (..., d).
            weight: (d,).
        """
        scale = _inverse_rms(x, eps)
        ctx.save_for_backward(x, weight, scale)
        if x.dtype == weight.dtype == torch.float32:
            return (x * scale).mul_(weight)
        return weight * (x.float() * scale).to(x.dtype)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None, None]:
        """Compute the gradients of input and weight."""
        x, weight, scale = ctx.saved_tensors
        grad_x, grad_weight = _norm_backward(grad.float(), x, weight, scale, ctx.needs_input_grad[1])
        return grad_x, grad_weight, None


class NormRotate(Function):
    """Normalisation of each head of queries or keys, then rotation by position; saves its input only."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, eps: float, cos: torch.Tensor, sin: torch.Tensor
    ) -> torch.Tensor:
        """Compute queries or keys.

        Args:
            x: (batch, time, heads, d), of the projection.
            weight: (d,).
            cos: (1 or batch, time, 1, d / 2) float32; ``sin`` the same.

        Returns:
            (batch, heads, time, d), contiguous, in the number format of ``x``.
        """
        scale = _inverse_rms(x, eps)
        ctx.save_for_backward(x, weight, scale, cos, sin)
        half = x.shape[-1] // 2
        first, second = torch.split(x.float() * scale, half, dim=-1)
        weight_1, weight_2 = torch.split(weight.float(), half)
        out = torch.empty(x.transpose(1, 2).shape, dtype=torch.float32, device=x.device)
        out_1, out_2 = torch.split(out.transpose(1, 2), half, dim=-1)
        torch.mul(first, cos * weight_1, out=out_1)
        out_1.addcmul_(second, sin * weight_2, value=-1)
        torch.mul(second, cos * weight_2, out=out_2)
        out_2.addcmul_(first, sin * weight_1)
        return out.to(x.dtype)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None, None, None, None]:
        """Rotate the gradient back, then compute those of input and weight."""
        x, weight, scale, cos, sin = ctx.saved_tensors
        half = x.shape[-1] // 2
        grad_1, grad_2 = torch.split(grad.transpose(1, 2).float(), half, dim=-1)
        unrotated = torch.empty(x.shape, dtype=torch.float32, device=x.device)
        first, second = torch.split(unrotated, half, dim=-1)
        torch.mul(grad_1, cos, out=first)
        first.addcmul_(grad_2, sin)
        torch.mul(grad_2, cos, out=second)
        second.addcmul_(grad_1, sin, value=-1)
        grad_x, grad_weight = _norm_backward(unrotated, x, weight, scale, ctx.needs_input_grad[1])
        return grad_x, grad_weight, None, None, None


class GatedActivation(Function):
    """``silu(gate) * up``; saves its two inputs."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        """Compute the activation of two tensors of the same shape."""
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the gradients of both."""
        gate, up = ctx.saved_tensors
        return _gate_backward(grad, gate, up, F.silu(gate))


class GatedProjection(Function):
    """``(silu(gate) * up) @ weight.T``; saves gate and up, and computes their product again."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Compute the MLP's output (..., hidden) of (..., m) activations and a (hidden, m) weight."""
        ctx.save_for_backward(gate, up, weight)
        return times_transposed(F.silu(gate).mul_(up), weight.to(gate.dtype))

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Compute the gradients of the activations and of the weight."""
        gate, up, weight = ctx.saved_tensors
        activated, grad_weight = F.silu(gate), None
        if ctx.needs_input_grad[2]:
            grad_weight = _grad_of_weight(weight, grad, (activated * up).to(grad.dtype))
        return *_gate_backward(times_transposed(grad, weight.to(grad.dtype).t()), gate, up, activated), grad_weight


class ShortAttention(Function):
    """Causal attention within many short sequences; saves the probabilities. For a CPU.

    The queries that share a key head are the rows of one product, so neither keys nor values are repeated.
    """

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float) -> torch.Tensor:
        """Compute the output (batch, heads, time, d).

        Args:
            query: (batch, heads, time, d), contiguous.
            key: (batch, key heads, time, d); ``value`` the same.
        """
        batch, n_heads, time, d = query.shape
        n_key_heads = key.shape[1]
        rows = n_heads // n_key_heads * time
        query, key, value = (part.reshape(batch * n_key_heads, -1, d) for part in (query, key, value))
        hidden = torch.full((time, time), float("-inf"), dtype=query.dtype).triu(1).repeat(rows // time, 1)
        scores = torch.baddbmm(hidden.expand(len(query), rows, time), query, key.transpose(1, 2), alpha=scaling)
        probabilities = torch.softmax(scores, dim=-1)
        ctx.save_for_backward(query, key, value, probabilities)
        ctx.scaling = scaling
        return torch.bmm(probabilities, value).view(batch, n_heads, time, d)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, None]:
        """Compute the gradients of queries, keys and values."""
        query, key, value, probabilities = ctx.saved_tensors
        batch, n_heads, time, d = grad.shape
        grad = grad.reshape(len(query), -1, d)
        grad_value = torch.bmm(probabilities.transpose(1, 2), grad)
        scores = torch._softmax_backward_data(torch.bmm(grad, value.transpose(1, 2)), probabilities, -1, query.dtype)
        scores.mul_(ctx.scaling)
        grad_key = torch.bmm(scores.transpose(1, 2), query)
        grad_query = torch.bmm(scores, key).view(batch, n_heads, time, d)
        return grad_query, grad_key.view(batch, -1, time, d), grad_value.view(batch, -1, time, d), None


class LinearCrossEntropy(Function):
    """Summed cross-entropy of a linear head's predictions; the logits of ``LOSS_ROWS`` labels exist at a time."""

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Compute the loss, and with it its gradients.

        Args:
            states: (n, hidden).
            weight: (vocabulary, hidden).
            labels: (n,).

        Returns:
            A float32 number in nats.
        """
        is_half = torch.is_autocast_enabled(states.device.type)
        dtype = torch.get_autocast_dtype(states.device.type) if is_half else states.dtype
        # the loss is scaled up only later, and small probabilities are below float16
        ctx.scale = FLOAT16_SCALE if dtype == torch.float16 else 1.0
        cast, total = weight.to(dtype), torch.zeros((), device=states.device)
        grad_states = torch.empty_like(states) if ctx.needs_input_grad[0] else None
        grad_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        for first in range(0, len(states), LOSS_ROWS):
            part, wanted = states[first : first + LOSS_ROWS].to(dtype), labels[first : first + LOSS_ROWS, None]
            logits = times_transposed(part, cast).float()
            log_sum = logits.logsumexp(1, keepdim=True)
            total += (log_sum - logits.gather(1, wanted)).sum()
            if grad_states is None and grad_weight is None:
                continue
            logits.sub_(log_sum).exp_()
            logits.scatter_add_(1, wanted, torch.full_like(log_sum, -1))
            grad_logits = logits.mul_(ctx.scale).to(dtype)
            if grad_states is not None:
                grad_states[first : first + LOSS_ROWS] = times_transposed(grad_logits, cast.t())
            if grad_weight is not None:
                _add_product(grad_weight, grad_logits, part)
        ctx.save_for_backward(grad_states, grad_weight)
        return total

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        """Scale the gradients by that of the loss."""
        grad_states, grad_weight = ctx.saved_tensors
        factor = grad / ctx.scale
        return (
            None if grad_states is None else (grad_states.float() * factor).to(grad_states.dtype),
            None if grad_weight is None else (grad_weight.float() * factor).to(grad_weight.dtype),
            None,
        )


def _grad_of_weight(weight: torch.Tensor, grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor | None:
    """Compute the gradient (out, in) of a weight; if it has one of earlier micro-batches, add to that and return None.

    Args:
        grad: (..., out), of the product.
        x: (..., in), in the number format of ``grad``.
    """
    grad, x = grad.flatten(0, -2), x.flatten(0, -2)
    if weight.grad is None:
        return (grad.t() @ x).to(weight.dtype)
    _add_product(weight.grad, grad, x)
    return None


def _add_product(total: torch.Tensor, grad: torch.Tensor, x: torch.Tensor) -> None:
    """Add ``grad.T @ x`` to a sum, in one pass over memory if all have one number format."""
    if total.dtype == grad.dtype:
        total.addmm_(grad.t(), x)
    else:
        total += grad.t() @ x


def _inverse_rms(x: torch.Tensor, eps: float) -> torch.Tensor:
    """Compute 1 / rms of the last dimension, (..., 1) float32."""
    norm: torch.Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
    return norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_()


def _norm_backward(
    grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor, trains_weight: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Compute the gradients of a normalisation's input and weight from a float32 gradient of its output."""
    normed = x.float() * scale
    product = grad * normed
    grad_weight = product.flatten(0, -2).sum(0).to(weight.dtype) if trains_weight else None
    mean = (product @ (weight := weight.float())).div_(x.shape[-1])[..., None]
    del product
    grad_x = (grad * weight).addcmul_(normed, mean, value=-1).mul_(scale)
    return grad_x.to(x.dtype), grad_weight


def _gate_backward(
    grad: torch.Tensor, gate: torch.Tensor, up: torch.Tensor, activated: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the gradients of gate and up; overwrites ``activated``, which is ``silu(gate)``."""
    grad_gate = grad * up
    torch.ops.aten.silu_backward.grad_input(grad_gate, gate, grad_input=grad_gate)
    return grad_gate, activated.mul_(grad)
