"""Strength of more than two voices from votes between pairs of them: the Bradley-Terry model, with intervals.

A voice of strength a is preferred to one of strength b with probability 1 / (1 + exp(b - a)); a tie is half a win for
each. Voices that no votes connect cannot be compared, and get no common scale.

Source: R. A. Bradley, M. E. Terry, "Rank analysis of incomplete block designs" (1952); fitted by D. R. Hunter's MM
algorithm (2004). Intervals: bootstrap over votes, 2.5 to 97.5 %, the same votes give the same interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.rating.human_ratings import Vote, last_votes

Doubles = NDArray[np.float64]

RESAMPLES = 400
MOST_IN_PAIRS = 2  # voices; for so few a win rate says the same
_ROUNDS = 200
_PRIOR = 0.5  # wins and losses against a voice of strength 0: a voice that never lost stays finite


@dataclass(frozen=True)
class Strength:
    """Strength of a voice: natural log of the odds against the mean voice, 0; with its 95 % interval."""

    model: str
    strength: float
    low: float
    high: float
    n_votes: int
    group: int
    """Voices of different groups were never compared, not even through others."""


def strengths(votes: Sequence[Vote]) -> list[Strength]:
    """Fit all voices that were compared, the strongest of each group first; of repeated votes the last counts."""
    given = [vote for vote in last_votes(votes) if vote.model != vote.against_model]
    names = sorted({name for vote in given for name in (vote.model, vote.against_model)})
    if not names:
        return []
    index = {name: at for at, name in enumerate(names)}
    pairs = np.array([(index[vote.model], index[vote.against_model]) for vote in given])
    share = np.array([{"audio": 1.0, "against": 0.0, "tie": 0.5}[vote.winner] for vote in given])
    groups = _groups(pairs, len(names))
    all_votes = np.arange(len(pairs))[None, :]
    drawn = np.random.default_rng(0).integers(len(pairs), size=(RESAMPLES, len(pairs)))
    fitted = _fit(pairs[all_votes], share[all_votes], groups)[0]
    low, high = np.quantile(_fit(pairs[drawn], share[drawn], groups), [0.025, 0.975], axis=0)
    n_votes = np.bincount(pairs.ravel(), minlength=len(names))
    found = [
        Strength(name, three[0], three[1], three[2], int(n_votes[at]), groups[at])
        for name, at in index.items()
        for three in [[round(float(each[at]), 3) for each in (fitted, low, high)]]
    ]
    return sorted(found, key=lambda one: (one.group, -one.strength, one.model))


def is_certainly_better(one: Strength, other: Strength) -> bool:
    """Return True if the intervals of two voices of one group do not overlap."""
    return one.group == other.group and one.low > other.high


def _fit(pairs: NDArray[np.int_], share: Doubles, groups: Sequence[int]) -> Doubles:
    """Fit samples of votes, (samples, votes, 2) and (samples, votes), at once; return strengths (samples, voices)."""
    n_samples, n = len(pairs), len(groups)
    sample = np.arange(n_samples)[:, None]
    one, other = pairs[..., 0], pairs[..., 1]
    wins, met = np.full((n_samples, n), _PRIOR), np.zeros((n_samples, n, n))
    np.add.at(wins, (sample, one), share)
    np.add.at(wins, (sample, other), 1 - share)
    np.add.at(met, (sample, one, other), 1.0)
    np.add.at(met, (sample, other, one), 1.0)
    power = np.ones((n_samples, n))
    for _ in range(_ROUNDS):
        expected = (met / (power[:, :, None] + power[:, None, :])).sum(axis=2) + 2 * _PRIOR / (power + 1)
        before, power = power, wins / expected
        if np.allclose(before, power, rtol=1e-4):
            break
    strength = np.log(power)
    for group in set(groups):
        members = np.array(groups) == group
        strength[:, members] -= strength[:, members].mean(axis=1, keepdims=True)
    return strength


def _groups(pairs: NDArray[np.int_], n: int) -> list[int]:
    """Number the groups of voices that votes connect, in the order of their first voice."""
    parent = list(range(n))

    def root(at: int) -> int:
        while parent[at] != at:
            at = parent[at]
        return at

    for one, other in pairs:
        parent[max(root(one), root(other))] = min(root(one), root(other))
    numbers = {each: number for number, each in enumerate(sorted({root(at) for at in range(n)}))}
    return [numbers[root(at)] for at in range(n)]
