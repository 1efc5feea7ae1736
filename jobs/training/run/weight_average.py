"""Exponential moving average of the trained weights (EMA), in float32 beside them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

# The average follows the weights faster at first, so that it forgets where they started: as in timm's ModelEmaV3 and
# TensorFlow's ExponentialMovingAverage with num_updates.
WARMUP = 10


class WeightAverage:
    """Average of weights over the steps of a run.

    Args:
        decay: share of the average that a step keeps, in the long run.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self._parameters, self._decay = parameters, decay
        self.weights = {name: parameter.detach().float().clone() for name, parameter in parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the weights after ``step`` steps."""
        decay = min(self._decay, (1 + step) / (WARMUP + step))
        for name, parameter in self._parameters.items():
            self.weights[name].lerp_(parameter.float(), 1 - decay)

    @torch.no_grad()
    def load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Go on from the average of a checkpoint."""
        for name, average in self.weights.items():
            average.copy_(weights[name])

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the model the average for a while, and its own weights back; takes the memory of one matrix."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, parameter in self._parameters.items():  # in place, because a divided layer has its weights by address
            average = self.weights[name].clone()
            self.weights[name].copy_(parameter)
            parameter.copy_(average)
