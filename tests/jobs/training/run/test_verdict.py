"""Sentences about how a run ended."""

from __future__ import annotations

import pytest

from jobs.training.loss_history import LossHistory
from jobs.training.run.verdict import describe_end


@pytest.mark.parametrize(
    ("step", "max_steps", "expected"),
    [
        (40, None, "trained all 40 steps; best at 20"),
        (40, 40, "trained all 40 steps; best at 20"),
        (40, 1000, "trained all 40 steps: the epochs ended before max_steps=1000; best at 20"),
        (30, 1000, "stopped at step 30 of 40: 1 validations were not better; best at 20"),
    ],
)
def test_a_result_says_what_ended_the_run(step: int, max_steps: int | None, expected: str) -> None:
    history = LossHistory(validations=[[20.0, 1.0], [30.0, 2.0]])

    assert describe_end(history, step, 40, max_steps=max_steps) == expected
