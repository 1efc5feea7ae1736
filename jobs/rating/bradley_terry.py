"""Strengths of several models from votes between pairs of them, with 95 % intervals.

A model of strength ``s`` is preferred to one of strength ``t`` with the probability ``1 / (1 + exp(t - s))``. A tie is
half a win for both. Half a win is added to both sides of each compared pair, so that a model that has won every vote
has a finite strength. Models that no chain of votes connects cannot be compared: such groups are fitted apart.

Source: R. A. Bradley and M. E. Terry, "Rank analysis of incomplete block designs", Biometrika 39 (1952); intervals from
the observed information. Imports the standard library only.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from jobs.rating.human_ratings import Vote, last_votes

ADDED_WINS = 0.5
MOST_IN_PAIRS = 2  # models; for so few a win rate says the same
MOST_STEPS, SMALL_STEP = 100, 1e-10
MOST_STEP = 2.0  # of a strength in one step of Newton's method
Matrix = list[list[float]]
Wins = Mapping[tuple[str, str], float]
"""Votes that the first model of a pair has won against the second; both orders of a compared pair are there."""


@dataclass(frozen=True)
class Strength:
    """Strength of one model among those that it was compared with, directly or not.

    Attributes:
        model: its name.
        n_votes: votes about it.
        wins: won by it; a tie is a half.
        strength: in logits; the mean of its group is 0.
        low: lower end of the 95 % interval.
        high: upper end.
        group: number of its group; models of different groups were never compared, not even through others.
    """

    model: str
    n_votes: int
    wins: float
    strength: float
    low: float
    high: float
    group: int = 0

    @property
    def share(self) -> float:
        """Chance to be preferred to a model of the group's mean strength."""
        return preferred(self.strength)

    @property
    def share_interval(self) -> tuple[float, float]:
        """Interval of ``share``."""
        return preferred(self.low), preferred(self.high)


def preferred(difference: float) -> float:
    """Return the chance that a model is preferred, by the difference of the strengths."""
    return 1 / (1 + math.exp(-difference))


def is_certainly_better(one: Strength, other: Strength) -> bool:
    """Return True if the intervals of two models of one group do not overlap."""
    return one.group == other.group and one.low > other.high


def strengths(votes: Sequence[Vote], level: float = 0.95) -> list[Strength]:
    """Fit the strengths of all models that were compared: the largest group first, and of each the strongest first.

    Of a person's votes between the same two takes the last one counts; votes between takes of one model do not count.
    """
    wins: defaultdict[tuple[str, str], float] = defaultdict(float)
    for vote in last_votes(votes):
        if vote.model != vote.against_model:
            one, other = vote.model, vote.against_model
            share = {"audio": 1.0, "against": 0.0, "tie": 0.5}[vote.winner]
            wins[one, other] += share
            wins[other, one] += 1 - share
    z = NormalDist().inv_cdf(0.5 + level / 2)
    return [one for number, group in enumerate(_groups(wins)) for one in _fit_group(number, group, dict(wins), z)]


def _groups(wins: Collection[tuple[str, str]]) -> list[list[str]]:
    """Return the models in groups that votes connect."""
    groups: list[set[str]] = []
    for pair in wins:
        met = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if group not in met] + [set(pair).union(*met)]
    return sorted((sorted(group) for group in groups), key=len, reverse=True)


def _fit_group(number: int, models: list[str], wins: Wins, z: float) -> list[Strength]:
    """Maximise the likelihood by Newton's method; the mean of the strengths stays 0."""
    places = range(len(models))
    won = [[wins[a, b] + ADDED_WINS if (a, b) in wins else 0.0 for b in models] for a in models]
    fitted = [0.0 for _ in places]
    for _ in range(MOST_STEPS):
        gradient, information = _derivatives(won, fitted)
        inverse = _invert(information)
        step = [sum(inverse[a][b] * gradient[b] for b in places) for a in places]
        longest = max(map(abs, step))
        fitted = [
            strength + part * min(1.0, MOST_STEP / max(longest, SMALL_STEP))
            for strength, part in zip(fitted, step, strict=True)
        ]
        if longest < SMALL_STEP:
            break
    # The added term makes the information regular; it is no part of the variance.
    variances = [_invert(_derivatives(won, fitted)[1])[place][place] - 1 / len(models) for place in places]
    found = [
        Strength(
            model=model,
            n_votes=round(sum(wins.get((model, other), 0.0) + wins.get((other, model), 0.0) for other in models)),
            wins=sum(wins.get((model, other), 0.0) for other in models),
            strength=fitted[place],
            low=fitted[place] - z * math.sqrt(max(0.0, variances[place])),
            high=fitted[place] + z * math.sqrt(max(0.0, variances[place])),
            group=number,
        )
        for place, model in enumerate(models)
    ]
    return sorted(found, key=lambda one: (-one.strength, one.model))


def _derivatives(won: Matrix, strengths: Sequence[float]) -> tuple[list[float], Matrix]:
    """Return gradient and information of the log-likelihood, with the term that holds the mean at 0."""
    n = len(strengths)
    gradient = [0.0] * n
    information = [[1 / n] * n for _ in range(n)]
    for a in range(n):
        for b in range(n):
            n_votes = won[a][b] + won[b][a]
            if a == b or not n_votes:
                continue
            chance = preferred(strengths[a] - strengths[b])
            gradient[a] += won[a][b] - n_votes * chance
            information[a][a] += n_votes * chance * (1 - chance)
            information[a][b] -= n_votes * chance * (1 - chance)
    return gradient, information


def _invert(matrix: Matrix) -> Matrix:
    """Invert a positive definite matrix by elimination."""
    n = len(matrix)
    rows = [[*row, *(float(place == number) for place in range(n))] for number, row in enumerate(matrix)]
    for place in range(n):
        best = max(range(place, n), key=lambda number: abs(rows[number][place]))
        rows[place], rows[best] = rows[best], rows[place]
        rows[place] = [value / rows[place][place] for value in rows[place]]
        for number in range(n):
            if number != place:
                factor = rows[number][place]
                rows[number] = [a - factor * b for a, b in zip(rows[number], rows[place], strict=True)]
    return [row[n:] for row in rows]
