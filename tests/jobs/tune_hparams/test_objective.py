"""Audio score of a trial's takes, and the choice of the best trial."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.tune_hparams.objective import SAME_SCORE, TrialValues, pareto_front, score_takes, select_best


def take(
    uncapped: float | None = 5.0, intelligibility: float | None = 1.0, voice: float | None = 1.0
) -> dict[str, Any]:
    """A rated take as in ratings.json."""
    return {"uncapped": uncapped, "intelligibility": intelligibility, "voice": voice}


@pytest.mark.parametrize(
    ("takes", "hit_limit", "score"),
    [
        ([take()] * 4, [False] * 4, 1.0),
        ([take(1.0, 0.0, 0.0)] * 4, [True] * 4, 0.0),
        ([take(3.0)] * 4, [False] * 4, 0.75),
        ([take()] * 4, [True, True, False, False], 0.5 + 0.5 * (0.5 + 1 + 1) / 3),
        ([take(5.0, None, 0.4)], [False], 0.5 + 0.5 * (1 + 0.4) / 2),  # words of a language that is not measured
        ([take(), take(None)], [False, False], 1.0),  # too short to be rated
    ],
)
def test_the_score(takes: list[dict[str, Any]], hit_limit: list[bool], score: float) -> None:
    audio = score_takes(takes, hit_limit)

    assert audio is not None
    assert audio.score == pytest.approx(score, abs=1e-4)


def test_takes_of_which_none_could_be_rated_have_no_score() -> None:
    assert score_takes([take(None)], [False]) is None
    assert score_takes([], []) is None


def test_one_take_in_five_that_never_stops_costs_more_than_one_as_bad_that_ends() -> None:
    ratings = [*[take(4.5, 0.9, 0.9)] * 4, take(1.4, 0.5, 0.9)]

    ends, runaway = score_takes(ratings, [False] * 5), score_takes(ratings, [True, *[False] * 4])

    assert ends is not None
    assert runaway is not None
    assert ends.score - runaway.score == pytest.approx(0.5 * 0.2 / 3, abs=1e-4)


def test_the_best_of_two_objectives_is_on_the_front_and_sounds_as_good_as_any() -> None:
    trials = [
        TrialValues(0, 3.0, 0.80),
        TrialValues(1, 2.9, 0.80 - SAME_SCORE / 2),
        TrialValues(2, 2.0, 0.3),
        TrialValues(3, 3.2, 0.79),
    ]

    assert [trial.number for trial in pareto_front(trials)] == [0, 1, 2]
    assert select_best(trials, "both") == trials[1]
    assert select_best(trials, "audio") == trials[0]
    assert select_best(trials, "loss") == trials[2]
    assert select_best([], "both") is None
