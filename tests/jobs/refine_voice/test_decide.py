"""What follows from the ratings of the rounds."""

from __future__ import annotations

import pytest

from jobs.refine_voice.decide import best_of, decide, verdict_of


@pytest.mark.parametrize(
    ("ratings", "stops", "from_best", "lr_factor"),
    [
        ([3.6], True, False, 1.0),  # good enough
        ([2.0], False, False, 1.0),
        ([2.0, 2.5], False, False, 1.0),
        ([2.0, 2.04], False, True, 0.5),  # noise is no gain
        ([2.5, 2.0], False, True, 0.5),
        ([2.5, 2.0, 2.6], False, False, 1.0),  # a gain after a loss
        ([2.5, 2.0, 2.1], True, False, 1.0),  # two rounds for nothing
        ([2.0, 2.1, 2.2, 2.3, 2.4], True, False, 1.0),  # the last round
        ([2.0, 2.1, 2.2, 2.3, 3.5], True, False, 1.0),
    ],
)
def test_a_round_is_followed_by(ratings: list[float], stops: bool, from_best: bool, lr_factor: float) -> None:
    step = decide(ratings, 1.0, threshold=3.5, max_iterations=5)

    assert (step.stops, step.from_best, step.lr_factor) == (stops, from_best, lr_factor)
    assert f"{ratings[-1]:.2f}" in step.why


def test_the_best_round_is_kept_the_earlier_of_equals() -> None:
    assert best_of([2.0, 3.0, 3.0, 2.5]) == 1


@pytest.mark.parametrize(
    ("rating", "zero_shot", "told"),
    [
        (3.0, 2.0, "without training it was 2.00"),
        (3.0, 3.0, "did not help"),
        (3.0, 4.0, "Use that"),
        (3.0, None, "Not"),
    ],
)
def test_the_verdict_says_whether_training_helped(rating: float, zero_shot: float | None, told: str) -> None:
    assert told in verdict_of(rating, zero_shot, met=False, threshold=3.5)
