"""Confidence intervals of a mean rating and of the difference between two, by bootstrap over texts and takes.

Texts are drawn with replacement, then takes within each drawn text; the same ratings give the same interval. Takes are
averaged by text first, so that a text with many takes counts no more than another.

Source: B. Efron, "Bootstrap methods: another look at the jackknife" (1979), the percentile interval, in two stages.
It is slightly too narrow for fewer than about ten texts.

``interval_of_mean`` and ``difference`` draw with different generators on purpose. The results stored with ratings stay
the same to the digit, and a continued refinement repeats the decisions that it recorded.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

Scores = Mapping[str, Sequence[float]]
"""Ratings of the takes of each text."""

MEAN_LEVEL, MEAN_RESAMPLES = 0.95, 2000
# One in ten rounds without a gain counts as one. At a stricter level a dozen takes would never show a gain; a false
# gain costs one round, since the best round is kept.
DIFFERENCE_LEVEL, DIFFERENCE_RESAMPLES = 0.8, 1000
MIN_GAIN = 0.05  # of 1 to 5; with one take only, the variation between takes is unknown


def mean_over_texts(scores: Scores) -> float:
    """Average the takes of each text, then the texts."""
    return round(fmean(fmean(takes) for takes in scores.values()), 3)


def interval_of_mean(scores: Scores) -> tuple[float, float]:
    """Compute the 95 % interval of the mean over texts."""
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(scores), size=(MEAN_RESAMPLES, len(scores)))
    means = np.empty(chosen.shape)
    for number, takes in enumerate(map(np.array, scores.values())):
        is_chosen = chosen == number
        means[is_chosen] = takes[rng.integers(len(takes), size=(int(is_chosen.sum()), len(takes)))].mean(axis=1)
    low, high = np.quantile(means.mean(axis=1), [(1 - MEAN_LEVEL) / 2, (1 + MEAN_LEVEL) / 2])
    return round(float(low), 3), round(float(high), 3)


@dataclass(frozen=True)
class Difference:
    """Mean difference between the ratings of two sets of takes over their common texts, with its interval.

    With one take each, both ends equal the mean.
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


def difference(scores: Scores, others: Scores, *, level: float = DIFFERENCE_LEVEL, seed: int = 0) -> Difference:
    """Compute the difference by text, so that the difficulty of a text cancels out; at least one text is common."""
    pairs = [(scores[text], others[text]) for text in scores if text in others]
    rng = random.Random(seed)
    resampled = sorted(
        fmean(_resampled_mean(a, rng) - _resampled_mean(b, rng) for a, b in rng.choices(pairs, k=len(pairs)))
        for _ in range(DIFFERENCE_RESAMPLES)
    )
    outside = round((1 - level) / 2 * DIFFERENCE_RESAMPLES)
    mean = fmean(fmean(a) - fmean(b) for a, b in pairs)
    return Difference(round(mean, 3), round(resampled[outside], 3), round(resampled[-1 - outside], 3))


def interval_by_difference(scores: Scores) -> tuple[float, float]:
    """Compute the 95 % interval of the mean over texts as the difference to zero, as refine_voice stores it."""
    found = difference(scores, {text: [0.0] for text in scores}, level=MEAN_LEVEL)
    return found.low, found.high


def _resampled_mean(takes: Sequence[float], rng: random.Random) -> float:
    return fmean(rng.choices(takes, k=len(takes)))
