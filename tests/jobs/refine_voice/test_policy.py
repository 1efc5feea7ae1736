"""What comes after a round, and why, from made-up measures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.refine_voice.policy import LONGEST, Heard, Learnt, Way, best_of, decide, verdict_of
from jobs.refine_voice.significance import difference, interval_of

TEXTS = ("a fox", "a train", "a letter", "a river")
SPREAD = (-0.1, 0.0, 0.1, 0.0)
LEARNT, STILL = Learnt(), Learnt(still_falling=True)


def heard(mean: float, spread: float = 1.0, **parts: float) -> Heard:
    """Two takes of four texts."""
    scores = {
        text: [mean + spread * off, mean + spread * (off + 0.05)] for text, off in zip(TEXTS, SPREAD, strict=True)
    }
    return Heard(shown=min(mean, 4.5), scores=scores, **parts)


def after(
    *rounds: Heard, learnt: Learnt = LEARNT, ways: list[Way] | None = None, **changes: object
) -> tuple[bool, bool, Way, str]:
    """The decision after these rounds."""
    given = {"threshold": 4.0, "max_iterations": 9, **changes}
    step = decide(rounds, ways or [Way()] * len(rounds), learnt, **given)  # type: ignore[arg-type]
    return step.stops, step.from_best, step.way, step.why


@pytest.mark.parametrize(
    ("means", "changes", "told"),
    [
        ([4.1], {}, "meets 4"),
        ([2.0, 2.5, 3.0], {"max_iterations": 3}, "last round"),
        ([3.0, 3.0, 3.0, 2.9], {}, "brought nothing"),
    ],
)
def test_the_loop_stops(means: list[float], changes: dict[str, object], told: str) -> None:
    stops, _, _, why = after(*map(heard, means), **changes)

    assert stops
    assert told in why


def test_a_gain_goes_on_as_before_from_the_last() -> None:
    assert after(heard(2.0), heard(3.0))[:3] == (False, False, Way())


def test_a_gain_within_the_interval_is_none() -> None:
    quiet, loud = heard(3.0, spread=1.0), heard(3.2, spread=1.0)
    noisy = Heard(
        shown=3.2, scores={text: [3.2 + off] for text, off in zip(TEXTS, (1.5, -1.5, 1.0, -1.0), strict=True)}
    )

    assert after(quiet, loud)[1] is False  # the same 0.2, seen in every text
    stops, from_best, way, why = after(quiet, noisy)
    assert (stops, from_best, way.lr_factor) == (False, True, 0.5)
    assert "no gain on 3.0" in why


@pytest.mark.parametrize(
    ("last", "learnt", "way", "told"),
    [
        ({}, LEARNT, Way(lr_factor=0.5), "nothing else stands out"),
        ({"stop_rate": 0.5}, LEARNT, Way(0.5, 1, "code_predictor"), "fewer takes end by themselves (50%, before 100%)"),
        (
            {"intelligibility": 0.4},
            LEARNT,
            Way(0.5, 1, "code_predictor"),
            "less clear (0.40 of 1, before 0.90)",
        ),
        ({"stop_rate": 0.5}, Learnt(freeze="code_predictor"), Way(0.5, 1), "fewer takes end"),
        ({"stop_rate": 0.5}, Learnt("lora"), Way(0.5, 1), "fewer takes end"),
        ({"voice": 0.2}, Learnt(freeze="code_predictor"), Way(1, 1, "none"), "far from the narrator's (0.20 of 1)"),
        ({"voice": 0.2}, LEARNT, Way(1, 2), "far from the narrator's"),
        ({}, STILL, Way(1, 2), "validation loss still fell"),
    ],
)
def test_what_is_changed_follows_from_what_suffers(last: dict[str, float], learnt: Learnt, way: Way, told: str) -> None:
    best = heard(3.0, intelligibility=0.9, voice=0.8)
    worse = replace(heard(2.8, intelligibility=0.9, voice=0.8), **last)

    stops, from_best, change, why = after(best, worse, learnt=learnt)

    assert (stops, from_best, change) == (False, True, way)
    assert told in why


def test_a_change_that_was_tried_is_tried_more_slowly() -> None:
    ways = [Way(), Way(0.5, 1.0)]

    assert after(heard(3.0), heard(2.9), heard(2.8), ways=[Way(), *ways])[2] == Way(0.25, 1.0)
    assert after(heard(3.0), heard(2.9), learnt=STILL, ways=[Way(), Way(1, LONGEST)])[2] == Way(0.5, LONGEST)


def test_a_round_that_gains_and_still_learns_is_followed_by_a_longer_one() -> None:
    assert after(heard(2.0), learnt=STILL)[1:3] == (False, Way(1.0, 2.0))
    assert after(heard(2.0), learnt=STILL, ways=[Way(1.0, LONGEST)])[2] == Way(1.0, LONGEST)


def test_a_first_round_whose_words_are_worse_than_the_clones_freezes_the_code_predictor() -> None:
    clone = heard(3.0, intelligibility=0.9)

    _, from_best, way, why = after(heard(3.1, intelligibility=0.5), zero_shot=clone)

    assert (from_best, way.freeze) == (False, "code_predictor")
    assert "words are less clear" in why


def test_the_best_round_is_kept_the_earlier_of_equals() -> None:
    assert best_of([heard(mean) for mean in (2.0, 3.0, 3.0, 2.5)]) == 1


@pytest.mark.parametrize(
    ("rating", "zero_shot", "told"),
    [
        (3.0, 2.0, "fine-tuning helped"),
        (3.0, 3.0, "may be chance. Use the zero-shot clone"),
        (3.0, 4.0, "did not help, it harmed"),
        (3.0, None, "Not compared"),
    ],
)
def test_the_verdict_says_whether_training_helped(rating: float, zero_shot: float | None, told: str) -> None:
    assert told in verdict_of(heard(rating), None if zero_shot is None else heard(zero_shot), threshold=3.5)


def test_a_difference_is_taken_by_text_so_that_hard_texts_fall_out() -> None:
    easy_and_hard = {"a": [4.8, 4.8], "b": [1.2, 1.2], "c": [3.0, 3.0]}
    a_little_better = {text: [take + 0.2 for take in takes] for text, takes in easy_and_hard.items()}

    found = difference(a_little_better, easy_and_hard)

    assert (found.low, found.mean, found.high) == pytest.approx((0.2, 0.2, 0.2))
    assert found.is_gain
    low, high = interval_of(easy_and_hard)
    assert low < 2 < 4 < high


def test_of_one_take_nothing_is_known_but_a_small_step_is_no_gain() -> None:
    assert not difference({"a": [3.04]}, {"a": [3.0]}).is_gain
    assert difference({"a": [3.2]}, {"a": [3.0]}).is_gain
