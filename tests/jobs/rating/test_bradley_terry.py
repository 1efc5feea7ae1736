"""Strengths of more than two models from votes."""

from __future__ import annotations

import math
import random

import pytest

from jobs.rating.bradley_terry import is_certainly_better, preferred, strengths
from jobs.rating.human_ratings import Vote, preferences


def vote(number: int, model: str, against: str, winner: str, who: str = "") -> Vote:
    return Vote.model_validate(
        {"audio": f"{number}.wav", "against": f"../{number}.wav", "text": "x", "winner": winner, "at": 1.0,
         "model": model, "against_model": against, "who": who}
    )  # fmt: skip


def test_two_models_have_the_odds_of_their_votes() -> None:
    votes = [vote(n, "a", "b", "audio" if n < 30 else "against") for n in range(40)]

    first, second = strengths(votes)

    assert (first.model, first.wins, first.n_votes) == ("a", 30.0, 40)
    assert first.strength - second.strength == pytest.approx(math.log(30.5 / 10.5), abs=1e-6)
    assert first.strength == pytest.approx(-second.strength)
    # the variance of a difference of logits is 1/n1 + 1/n2; of half of it, a quarter
    half = 1.959964 * math.sqrt(1 / 30.5 + 1 / 10.5) / 2
    assert first.high - first.strength == pytest.approx(half, rel=1e-5)


def test_known_strengths_of_four_models_are_found_within_their_intervals() -> None:
    true = {"a": 1.2, "b": 0.3, "c": -0.4, "d": -1.1}
    rng = random.Random(1)
    votes = []
    for number in range(1500):
        one, other = rng.sample(sorted(true), 2)
        winner = "audio" if rng.random() < preferred(true[one] - true[other]) else "against"
        votes.append(vote(number, one, other, winner))

    found = strengths(votes)

    assert [each.model for each in found] == ["a", "b", "c", "d"]
    for each in found:
        assert each.low < true[each.model] < each.high
        assert each.high - each.low < 0.5
    assert found[0].share_interval[0] > 0.5 > found[-1].share_interval[1]


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    true = {"a": 0.8, "b": 0.0, "c": -0.8}
    rng = random.Random(2)
    covered = 0
    for _ in range(200):
        votes = []
        for number in range(120):
            one, other = rng.sample(sorted(true), 2)
            winner = "audio" if rng.random() < preferred(true[one] - true[other]) else "against"
            votes.append(vote(number, one, other, winner))
        found = strengths(votes)
        covered += sum(one.low < true[one.model] < one.high for one in found)

    assert 0.92 <= covered / 600 <= 0.985


def test_a_model_that_won_every_vote_has_a_finite_strength_and_few_votes_a_wide_interval() -> None:
    first, _ = strengths([vote(0, "a", "b", "audio")])
    sure, _ = strengths([vote(n, "a", "b", "audio") for n in range(50)])

    assert first.low < 0 < first.strength < 2
    assert sure.low > 0


def test_ties_are_half_a_win_and_a_later_vote_of_the_same_person_counts_alone() -> None:
    votes = [vote(0, "a", "b", "audio", "Ada"), vote(0, "a", "b", "tie", "Ada"), vote(0, "a", "b", "tie", "Bob")]

    first, second = strengths(votes)

    assert (first.wins, second.wins, first.n_votes) == (1.0, 1.0, 2)
    assert (first.strength, second.strength) == pytest.approx((0, 0))


def test_a_chain_of_votes_ranks_models_that_never_met_and_others_stay_apart() -> None:
    votes = [vote(n, "a", "b", "audio") for n in range(9)] + [vote(n, "b", "c", "audio") for n in range(9)]

    found = strengths([*votes, vote(0, "x", "y", "audio"), vote(1, "z", "z", "audio")])

    assert [(one.model, one.group) for one in found] == [("a", 0), ("b", 0), ("c", 0), ("x", 1), ("y", 1)]
    assert is_certainly_better(found[0], found[2])
    assert not is_certainly_better(found[0], found[4])
    assert strengths([]) == []


def test_takes_of_one_name_in_two_folders_are_different_votes() -> None:
    votes = [
        Vote(audio="0.wav", against="../b/0.wav", text="x", winner="audio", at=1.0, model="a", against_model="b"),
        Vote(audio="0.wav", against="../b/0.wav", text="x", winner="audio", at=1.0, model="c", against_model="b"),
    ]

    assert sum(one.n_votes for one in strengths(votes)) == 4
    assert sum(one.n_votes for one in preferences(votes)) == 2
