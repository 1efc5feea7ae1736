"""Whether one round sounds better than another, or only happened to: the difference with its interval. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

N_RESAMPLES = 1000
# Of ten rounds that are no better, one passes for better. Stricter, and a dozen takes would never show a gain; a false
# gain costs one round, since the best round is kept.
LEVEL = 0.8
LEAST_GAIN = 0.05  # of 1 to 5; where there is one take only, nothing is known of how takes differ

Scores = Mapping[str, Sequence[float]]
"""Ratings of the takes of each text."""


@dataclass(frozen=True)
class Difference:
    """How much better one set of takes is than another.

    Attributes:
        mean: over the texts that both have.
        low: of the interval; equal to the mean where one take each is all there is.
        high: its other end.
    """

    mean: float
    low: float
    high: float

    @property
    def is_gain(self) -> bool:
        """More than chance."""
        return self.low > 0 and self.mean > LEAST_GAIN

    @property
    def is_loss(self) -> bool:
        """Less than chance."""
        return self.high < 0 and self.mean < -LEAST_GAIN

    def __str__(self) -> str:
        return f"{self.mean:+.2f} ({self.low:+.2f} to {self.high:+.2f})"


def difference(scores: Scores, others: Scores, *, level: float = LEVEL, seed: int = 0) -> Difference:
    """Compare by text: a text that is hard for one voice is hard for the other, and falls out.

    Texts are drawn with replacement, then takes within each drawn text, of both alike.

    Args:
        scores: of the takes that may be better.
        others: of those they are held against; at least one text in common.
        level: of the interval.
        seed: of the resampling; the same scores give the same interval.

    Source: B. Efron's bootstrap, percentile interval, in two stages; a little too narrow below ten texts.
    """
    pairs = [(scores[text], others[text]) for text in scores if text in others]
    chance = random.Random(seed)
    drawn = sorted(
        fmean(_drawn(a, chance) - _drawn(b, chance) for a, b in chance.choices(pairs, k=len(pairs)))
        for _ in range(N_RESAMPLES)
    )
    outside = round((1 - level) / 2 * N_RESAMPLES)
    mean = fmean(fmean(a) - fmean(b) for a, b in pairs)
    return Difference(round(mean, 3), round(drawn[outside], 3), round(drawn[-1 - outside], 3))


def mean_of(scores: Scores) -> float:
    """Takes of a text first, then texts."""
    return round(fmean(fmean(takes) for takes in scores.values()), 3)


def interval_of(scores: Scores) -> tuple[float, float]:
    """95 % interval of the mean."""
    found = difference(scores, {text: [0.0] for text in scores}, level=0.95)
    return found.low, found.high


def _drawn(takes: Sequence[float], chance: random.Random) -> float:
    return fmean(chance.choices(takes, k=len(takes)))
