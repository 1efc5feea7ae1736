"""Significance of a difference between two rounds: the mean difference with its bootstrap interval."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

N_RESAMPLES = 1000
# One in ten rounds without a gain counts as one. At a stricter level a dozen takes would never show a gain; a false
# gain costs one round, since the best round is kept.
LEVEL = 0.8
MIN_GAIN = 0.05  # of 1 to 5; with one take only, the variation between takes is unknown

Scores = Mapping[str, Sequence[float]]
"""Ratings of the takes of each text."""


@dataclass(frozen=True)
class Difference:
    """Difference between the ratings of two sets of takes.

    Attributes:
        mean: over the texts that both have.
        low: lower end of the interval; equal to the mean with one take each.
        high: upper end of the interval.
    """

    mean: float
    low: float
    high: float

    @property
    def is_gain(self) -> bool:
        """The first set is significantly better."""
        return self.low > 0 and self.mean > MIN_GAIN

    @property
    def is_loss(self) -> bool:
        """The first set is significantly worse."""
        return self.high < 0 and self.mean < -MIN_GAIN

    def __str__(self) -> str:
        return f"{self.mean:+.2f} ({self.low:+.2f} to {self.high:+.2f})"


def difference(scores: Scores, others: Scores, *, level: float = LEVEL, seed: int = 0) -> Difference:
    """Compute the difference by text, so that the difficulty of a text cancels out.

    Texts are drawn with replacement, then takes of both sets within each drawn text.

    Args:
        scores: of the takes that may be better.
        others: of the takes to compare with; at least one text in common.
        level: of the interval.
        seed: of the resampling; the same scores give the same interval.

    Source: B. Efron's bootstrap, percentile interval, in two stages; slightly too narrow below ten texts.
    """
    pairs = [(scores[text], others[text]) for text in scores if text in others]
    rng = random.Random(seed)
    resampled = sorted(
        fmean(_resampled_mean(a, rng) - _resampled_mean(b, rng) for a, b in rng.choices(pairs, k=len(pairs)))
        for _ in range(N_RESAMPLES)
    )
    outside = round((1 - level) / 2 * N_RESAMPLES)
    mean = fmean(fmean(a) - fmean(b) for a, b in pairs)
    return Difference(round(mean, 3), round(resampled[outside], 3), round(resampled[-1 - outside], 3))


def mean_over_texts(scores: Scores) -> float:
    """Average the takes of each text, then the texts."""
    return round(fmean(fmean(takes) for takes in scores.values()), 3)


def confidence_interval(scores: Scores) -> tuple[float, float]:
    """Compute the 95 % interval of the mean."""
    found = difference(scores, {text: [0.0] for text in scores}, level=0.95)
    return found.low, found.high


def _resampled_mean(takes: Sequence[float], rng: random.Random) -> float:
    return fmean(rng.choices(takes, k=len(takes)))
