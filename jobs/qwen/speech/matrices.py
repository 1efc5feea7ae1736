"""Weights of a product, on a CPU also in oneDNN's own order for several rows at once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

PACKED_FROM_ROWS = 4
"""Takes at once from which weights are packed: below, reading them takes longer than computing."""
PACKED_FROM_WEIGHTS = 2**18
"""Smaller matrices stay in the processor's caches, and a call of oneDNN takes longer than their product."""
PACKED_SHARE_OF_MEMORY = 1 / 8
"""Most of the machine's memory that packed weights may take: the plain ones stay beside them."""


@dataclass(frozen=True)
class Matrix:
    """Weights (out, in).

    Attributes:
        packed: the same in oneDNN's order, which computes several rows twice as fast: measured on one core with 4096 x
            1024 weights, 8 rows at 57 GFLOP/s against 23, 16 rows at 72 against 34.
    """

    plain: Tensor
    packed: Tensor | None = None

    def times(self, x: Tensor) -> Tensor:
        """Compute ``x @ weights.T``, x (rows, in)."""
        if self.packed is None or len(x) == 1:
            return torch.mm(x, self.plain.t())
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.packed, None, "none", [], "")
        return product

    def times_plus(self, x: Tensor, added: Tensor) -> Tensor:
        """Compute ``added + x @ weights.T``."""
        if self.packed is None or len(x) == 1:
            return torch.addmm(added, x, self.plain.t())
        total: Tensor = torch.ops.mkldnn._linear_pointwise.binary(x, added, self.packed, None, "add")
        return total

    def pack(self, n_rows: int) -> Matrix:
        """Return the matrix packed for a number of rows, if that is of use."""
        if self.packed is not None or self.plain.numel() < PACKED_FROM_WEIGHTS:
            return self
        return Matrix(self.plain, torch.ops.mkldnn._reorder_linear_weight(self.plain, n_rows))


def may_pack(weights: list[Matrix], n_rows: int) -> bool:
    """Decide if matrices are packed; on one machine the answer is always the same, because packing rounds otherwise."""
    first: Any = weights[0].plain
    if n_rows < PACKED_FROM_ROWS or first.device.type != "cpu" or first.dtype != torch.float32:
        return False
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    n_bytes = sum(weight.plain.nbytes for weight in weights)
    return n_bytes <= PACKED_SHARE_OF_MEMORY * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
