"""The moving average of the weights."""

from __future__ import annotations

import pytest
import torch

from jobs.training.run.weight_average import WeightAverage


def test_the_average_is_the_weighted_mean_of_all_steps_and_follows_faster_at_first() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(dict(layer.named_parameters()), 0.5)
    wanted = float(layer.weight)
    for step in range(1, 40):
        with torch.no_grad():
            layer.weight.add_(step)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * float(layer.weight)

    assert float(average.weights["weight"]) == pytest.approx(wanted, rel=1e-6)


def test_the_model_has_the_average_for_a_while_and_then_its_own_weights_again() -> None:
    layer = torch.nn.Linear(2, 2)
    own = layer.weight.detach().clone()
    average = WeightAverage(dict(layer.named_parameters()), 0.9)
    average.weights["weight"].fill_(3.0)

    with average.applied():
        assert torch.equal(layer.weight, torch.full((2, 2), 3.0))

    assert torch.equal(layer.weight, own)
    assert torch.equal(average.weights["weight"], torch.full((2, 2), 3.0))
