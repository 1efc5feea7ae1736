"""Products of a few rows with the weights of a layer."""

from __future__ import annotations

import torch
from torch import Tensor


def product(x: Tensor, weight: Tensor) -> Tensor:
    """Compute ``x @ weight.T``."""
    return torch.mm(x, weight.t())


def plus_product(added: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Compute ``added + x @ weight.T``."""
    return torch.addmm(added, x, weight.t())
