"""Strengths of voices from votes between pairs of them."""

from __future__ import annotations

import random
from math import exp, log

from jobs.rating.bradley_terry import is_certainly_better, strengths
from jobs.rating.human_ratings import Vote


def vote(number: int, model: str, against: str, winner: str) -> Vote:
    """One blind vote between two takes of a text of its own."""
    return Vote(
        audio=f"{model}/{number}.wav", against=f"{against}/{number}.wav", text="x", winner=winner, at=number,
        model=model, against_model=against,
    )  # fmt: skip


def test_two_voices_have_the_strength_that_their_win_rate_says() -> None:
    votes = [vote(n, "a", "b", "audio" if n < 30 else "against") for n in range(40)]

    a, b = strengths(votes)

    assert (a.model, b.model, a.n_votes) == ("a", "b", 40)
    assert abs((a.strength - b.strength) - log(3)) < 0.1
    assert is_certainly_better(a, b)
    assert strengths(votes) == [a, b]


def test_few_votes_leave_the_order_open_and_ties_are_half_a_win() -> None:
    a, b = strengths([vote(0, "a", "b", "audio"), vote(1, "b", "a", "audio"), vote(2, "a", "b", "audio")])

    assert not is_certainly_better(a, b)
    assert [each.strength for each in strengths([vote(n, "a", "b", "tie") for n in range(6)])] == [0.0, 0.0]


def test_the_order_of_four_voices_is_found_though_not_all_were_compared() -> None:
    rng = random.Random(0)
    true = {"w": 1.5, "x": 0.5, "y": -0.5, "z": -1.5}
    votes = []
    for number in range(240):
        one, other = rng.choice([("w", "x"), ("y", "x"), ("z", "y")])
        wins = rng.random() < 1 / (1 + exp(true[other] - true[one]))
        votes.append(vote(number, one, other, "audio" if wins else "against"))

    found = strengths(votes)

    assert [each.model for each in found] == ["w", "x", "y", "z"]
    assert all(each.low <= true[each.model] <= each.high for each in found)


def test_voices_that_no_votes_connect_are_never_called_better() -> None:
    votes = [vote(n, "a", "b", "audio") for n in range(20)] + [vote(n, "c", "d", "audio") for n in range(20)]

    found = strengths(votes)

    assert [(each.model, each.group) for each in found] == [("a", 0), ("b", 0), ("c", 1), ("d", 1)]
    assert not is_certainly_better(found[0], found[3])
    assert strengths([]) == []


def test_of_repeated_votes_of_one_person_the_last_counts() -> None:
    first, again = vote(0, "a", "b", "audio"), vote(0, "a", "b", "against")

    assert [each.model for each in strengths([first, again])] == ["b", "a"]
