"""Comparison of points by memory: only a point that certainly needs as much is kept from running."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import FrozenTrial, TrialState

from jobs.tune_hparams.memory_comparison import find_reason_too_large, needs_as_much_memory
from jobs.tune_hparams.search_space import Point


@pytest.mark.parametrize(
    ("point", "other", "expected"),
    [
        ({"batch_size": 4, "lr": 1e-5}, {"batch_size": 4, "lr": 1e-6}, True),
        ({"batch_size": 8, "lora_r": 16}, {"batch_size": 4, "lora_r": 16}, True),
        ({"batch_size": 8, "lora_r": 8}, {"batch_size": 4, "lora_r": 16}, False),
        ({"batch_size": 4, "lora_targets": "all"}, {"batch_size": 4, "lora_targets": "talker"}, False),
        ({"gradient_checkpointing": True}, {"gradient_checkpointing": False}, False),
    ],
)
def test_a_point_needs_at_least_the_memory_of_another(point: Point, other: Point, expected: bool) -> None:
    assert needs_as_much_memory(point, other) is expected


def trial_of(batch_size: int, end: str) -> FrozenTrial:
    return optuna.trial.create_trial(
        state=TrialState.PRUNED,
        params={"batch_size": batch_size},
        distributions={"batch_size": IntDistribution(1, 64)},
        user_attrs={"end": end},
    )


def test_only_trials_that_ran_out_of_memory_are_compared() -> None:
    trials = [trial_of(2, "diverged"), trial_of(8, "out_of_memory")]

    assert find_reason_too_large({"batch_size": 4}, trials) is None
    reason = find_reason_too_large({"batch_size": 8}, trials)
    assert reason is not None
    assert "ran out of memory" in reason
