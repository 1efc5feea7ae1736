"""From ratings of takes to a mean that may be compared: by text first, then over texts, with an interval. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

N_RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Mean:
    """A mean over texts, each text's takes averaged first, and the 95 % interval of its bootstrap.

    ``low`` and ``high`` equal ``mean`` where there is one take only: then nothing is known of its spread.
    """

    mean: float
    low: float
    high: float
    n_takes: int
    n_texts: int


def mean_of(values: Sequence[tuple[str, float]], seed: int = 0) -> Mean:
    """Average takes by text, then texts, and resample both.

    Texts are drawn with replacement, then takes within each drawn text: texts differ, and so do takes of one.

    Args:
        values: a take's text and its rating; at least one.
        seed: of the resampling; the same values give the same interval.

    Source: B. Efron, "Bootstrap methods: another look at the jackknife" (1979), the percentile interval, in two stages.
    It is a little too narrow for fewer than about ten texts.
    """
    by_text: dict[str, list[float]] = {}
    for text, value in values:
        by_text.setdefault(text, []).append(value)
    texts = [np.array(takes) for takes in by_text.values()]
    low, high = np.quantile(_resampled(texts, np.random.default_rng(seed)), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Mean(
        mean=round(fmean(fmean(takes) for takes in texts), 3),
        low=round(float(low), 3),
        high=round(float(high), 3),
        n_takes=len(values),
        n_texts=len(texts),
    )


def _resampled(texts: Sequence[Doubles], chance: np.random.Generator) -> Doubles:
    """Means of resampled texts, (N_RESAMPLES,)."""
    chosen = chance.integers(len(texts), size=(N_RESAMPLES, len(texts)))
    means = np.empty(chosen.shape)
    for number, takes in enumerate(texts):
        here = chosen == number
        means[here] = takes[chance.integers(len(takes), size=(int(here.sum()), len(takes)))].mean(axis=1)
    return np.asarray(means.mean(axis=1))


def by_text(values: Sequence[tuple[str, float]]) -> Mapping[str, tuple[float, float, float]]:
    """Mean, lowest and highest of each text's takes, in order of the texts."""
    grouped: dict[str, list[float]] = {}
    for text, value in values:
        grouped.setdefault(text, []).append(value)
    return {text: (round(fmean(takes), 3), min(takes), max(takes)) for text, takes in grouped.items()}
