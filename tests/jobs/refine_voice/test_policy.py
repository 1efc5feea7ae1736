"""Decisions after a round, from invented measures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.refine_voice.policy import (
    MAX_STEPS_FACTOR,
    Adjustment,
    RoundRating,
    TrainingOutcome,
    best_index,
    decide,
    describe_verdict,
)

TEXTS = ("a fox", "a train", "a letter", "a river")
SPREAD = (-0.1, 0.0, 0.1, 0.0)
ENDED, FALLING = TrainingOutcome(), TrainingOutcome(still_falling=True)
FROZEN = TrainingOutcome(freeze="code_predictor")
LONGEST = Adjustment(1.0, MAX_STEPS_FACTOR)


def rating(mean: float, spread: float = 1.0, **parts: float) -> RoundRating:
    """Two takes of four texts."""
    scores = {
        text: [mean + spread * off, mean + spread * (off + 0.05)] for text, off in zip(TEXTS, SPREAD, strict=True)
    }
    return RoundRating(shown=min(mean, 4.5), scores=scores, **parts)


def after(
    *rounds: RoundRating,
    outcome: TrainingOutcome = ENDED,
    adjustments: list[Adjustment] | None = None,
    **changes: object,
) -> tuple[bool, bool, Adjustment, str]:
    """The decision after these rounds."""
    given = {"threshold": 4.0, "max_iterations": 9, **changes}
    decision = decide(rounds, adjustments or [Adjustment()] * len(rounds), outcome, **given)
    return decision.stops, decision.from_best, decision.adjustment, decision.reason


@pytest.mark.parametrize(
    ("means", "changes", "expected"),
    [
        ([4.1], {}, "meets 4"),
        ([2.0, 2.5, 3.0], {"max_iterations": 3}, "last round"),
        ([3.0, 3.0, 3.0, 2.9], {}, "no significant gain"),
    ],
)
def test_the_loop_stops(means: list[float], changes: dict[str, object], expected: str) -> None:
    stops, _, _, reason = after(*map(rating, means), **changes)

    assert stops
    assert expected in reason


def test_a_gain_goes_on_as_before_from_the_last() -> None:
    assert after(rating(2.0), rating(3.0))[:3] == (False, False, Adjustment())


def test_a_gain_within_the_interval_does_not_count() -> None:
    quiet, loud = rating(3.0, spread=1.0), rating(3.2, spread=1.0)
    noisy = RoundRating(
        shown=3.2, scores={text: [3.2 + off] for text, off in zip(TEXTS, (1.5, -1.5, 1.0, -1.0), strict=True)}
    )

    assert after(quiet, loud)[1] is False  # the same 0.2, seen in every text
    stops, from_best, adjustment, reason = after(quiet, noisy)
    assert (stops, from_best, adjustment.lr_factor) == (False, True, 0.5)
    assert "no gain on 3.0" in reason


@pytest.mark.parametrize(
    ("last", "outcome", "adjustment", "expected"),
    [
        ({}, ENDED, Adjustment(lr_factor=0.5), "nothing else stands out"),
        (
            {"stop_rate": 0.5},
            ENDED,
            Adjustment(0.5, 1, "code_predictor"),
            "fewer takes end by themselves (50%, before 100%)",
        ),
        (
            {"intelligibility": 0.4},
            ENDED,
            Adjustment(0.5, 1, "code_predictor"),
            "less clear (0.40 of 1, before 0.90)",
        ),
        ({"stop_rate": 0.5}, FROZEN, Adjustment(0.5, 1), "fewer takes end"),
        ({"stop_rate": 0.5}, TrainingOutcome("lora"), Adjustment(0.5, 1), "fewer takes end"),
        (
            {"voice": 0.2},
            FROZEN,
            Adjustment(1, 1, "none"),
            "far from the narrator's (0.20 of 1)",
        ),
        ({"voice": 0.2}, ENDED, Adjustment(1, 2), "far from the narrator's"),
        ({}, FALLING, Adjustment(1, 2), "validation loss still fell"),
    ],
)
def test_the_adjustment_follows_from_the_measure_that_got_worse(
    last: dict[str, float], outcome: TrainingOutcome, adjustment: Adjustment, expected: str
) -> None:
    best = rating(3.0, intelligibility=0.9, voice=0.8)
    worse = replace(rating(2.8, intelligibility=0.9, voice=0.8), **last)

    stops, from_best, changed, reason = after(best, worse, outcome=outcome)

    assert (stops, from_best, changed) == (False, True, adjustment)
    assert expected in reason


def test_an_adjustment_that_was_tried_is_repeated_at_a_lower_rate() -> None:
    tried = [Adjustment(), Adjustment(0.5, 1.0)]

    assert after(rating(3.0), rating(2.9), rating(2.8), adjustments=[Adjustment(), *tried])[2] == Adjustment(0.25, 1.0)
    assert after(
        rating(3.0), rating(2.9), outcome=FALLING, adjustments=[Adjustment(), Adjustment(1, MAX_STEPS_FACTOR)]
    )[2] == Adjustment(0.5, MAX_STEPS_FACTOR)


def test_a_round_that_gains_and_still_learns_is_followed_by_a_longer_one() -> None:
    assert after(rating(2.0), outcome=FALLING)[1:3] == (False, Adjustment(1.0, 2.0))
    assert after(rating(2.0), outcome=FALLING, adjustments=[Adjustment(1.0, MAX_STEPS_FACTOR)])[2] == Adjustment(
        1.0, MAX_STEPS_FACTOR
    )


def test_a_first_round_whose_words_are_worse_than_the_clones_freezes_the_code_predictor() -> None:
    clone = rating(3.0, intelligibility=0.9)

    _, from_best, adjustment, reason = after(rating(3.1, intelligibility=0.5), zero_shot=clone)

    assert (from_best, adjustment.freeze) == (False, "code_predictor")
    assert "words are less clear" in reason


def test_the_best_round_is_kept_the_earlier_of_equals() -> None:
    assert best_index([rating(mean) for mean in (2.0, 3.0, 3.0, 2.5)]) == 1


@pytest.mark.parametrize(
    ("mean", "zero_shot", "expected"),
    [
        (3.0, 2.0, "fine-tuning helped"),
        (3.0, 3.0, "may be chance. Use the zero-shot clone"),
        (3.0, 4.0, "did not help, it harmed"),
        (3.0, None, "Not compared"),
    ],
)
def test_the_verdict_says_whether_training_helped(mean: float, zero_shot: float | None, expected: str) -> None:
    assert expected in describe_verdict(rating(mean), None if zero_shot is None else rating(zero_shot), threshold=3.5)
