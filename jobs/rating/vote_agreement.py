"""Agreement of people's votes and scores with the automatic rating of the same takes. Imports no heavy library."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, fmean

from jobs.rating.human_ratings import Opinions, Vote, last_votes, wilson_interval
from jobs.rating.ratings_file import find_rated_takes

MIN_RANKED = 5  # takes; a correlation of fewer says nothing


@dataclass(frozen=True)
class Agreement:
    """Share of the votes whose winner the automatic rating puts first too, with a 95 % interval.

    Ties, and pairs whose takes are not both rated or are rated alike, do not count.
    """

    n_votes: int
    n_agreeing: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class ScoreAgreement:
    """Agreement of people's scores with the rating of the same takes.

    Attributes:
        n_takes: with a score of a person and a rating.
        spearman: rank correlation; ``low`` and ``high`` its 95 % interval. None: too few takes, or all of them alike.
        n_pairs: pairs of takes that people scored differently.
        pair_share: share of these that the ratings put in the same order; a tied rating is a half. None: no pair.
    """

    n_takes: int
    spearman: float | None
    low: float | None
    high: float | None
    n_pairs: int
    pair_share: float | None


def compare_scores(people: Sequence[float], ratings: Sequence[float]) -> ScoreAgreement:
    """Compare people's mean scores of takes with their ratings, in the same order."""
    outcomes = []
    for (one, own), (other, against) in itertools.combinations(zip(people, ratings, strict=True), 2):
        if one != other:
            outcomes.append(0.5 if own == against else float((one > other) == (own > against)))
    rho = spearman(people, ratings) if len(people) >= MIN_RANKED else None
    low, high = (None, None) if rho is None else _rank_interval(rho, len(people))
    share = round(fmean(outcomes), 3) if outcomes else None
    return ScoreAgreement(len(people), rho, low, high, len(outcomes), share)


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Compute the rank correlation, equal values with their mean rank; None if either has no spread."""
    one, other = _ranks(first), _ranks(second)
    middle = (len(first) + 1) / 2
    spread = math.sqrt(sum((rank - middle) ** 2 for rank in one) * sum((rank - middle) ** 2 for rank in other))
    if spread == 0:
        return None
    return round(sum((a - middle) * (b - middle) for a, b in zip(one, other, strict=True)) / spread, 3)


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(values)
    first = {value: order.index(value) for value in set(values)}
    counts = {value: order.count(value) for value in first}
    return [first[value] + (counts[value] + 1) / 2 for value in values]


def _rank_interval(rho: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a rank correlation.

    Source: D. G. Bonett and T. A. Wright, "Sample size requirements for estimating Pearson, Kendall and Spearman
    correlations", Psychometrika 65 (2000).
    """
    half = NormalDist().inv_cdf(0.5 + level / 2) * math.sqrt((1 + rho * rho / 2) / (n - 3))
    middle = math.atanh(max(-0.999, min(0.999, rho)))
    return round(math.tanh(middle - half), 3), round(math.tanh(middle + half), 3)


def compare_with_ratings(
    votes: Mapping[Path, Sequence[Vote]], fresh: Mapping[Path, float | None] | None = None
) -> Agreement | None:
    """Compare votes with the ``ratings.json`` beside the takes.

    Args:
        votes: by the folder that they are stored in.
        fresh: ratings of takes by the resolved paths of their audio, which count before those of a file.

    Returns:
        None: no vote can be compared.
    """
    rating_of = RatingLookup(fresh or {})
    outcomes = []
    for folder, given in votes.items():
        for vote in last_votes(given):
            own, other = rating_of.find(folder / vote.audio), rating_of.find(folder / vote.against)
            if vote.winner != "tie" and own is not None and other is not None and own != other:
                outcomes.append((own > other) == (vote.winner == "audio"))
    if not outcomes:
        return None
    low, high = wilson_interval(sum(outcomes), len(outcomes))
    return Agreement(len(outcomes), sum(outcomes), sum(outcomes) / len(outcomes), low, high)


def compare_opinions(said: Mapping[Path, Opinions]) -> ScoreAgreement | None:
    """Compare people's scores of the takes in some folders with the ``ratings.json`` there; None without any."""
    rating_of = RatingLookup({})
    pairs = []
    for folder, opinions in said.items():
        for audio in dict.fromkeys(score.audio for score in opinions.scores):
            rating = rating_of.find(folder / audio)
            if rating is not None:
                pairs.append((fmean(score.score for score in opinions.of(audio)), rating))
    return compare_scores([person for person, _ in pairs], [rating for _, rating in pairs]) if pairs else None


class RatingLookup:
    """Uncapped ratings of takes by the path of their audio; each folder's file is read once."""

    def __init__(self, fresh: Mapping[Path, float | None]) -> None:
        self._known = dict(fresh)
        self._read: set[Path] = set()

    def find(self, audio: Path) -> float | None:
        """Return the rating of a take; None where there is none."""
        path = audio.resolve()
        if path not in self._known and path.parent not in self._read:
            self._read.add(path.parent)
            self._known = {**_read_ratings(path.parent), **self._known}
        return self._known.get(path)


def _read_ratings(folder: Path) -> dict[Path, float]:
    """Return the uncapped ratings of a folder's takes by the paths of their audio; none where there are none."""
    values = {path: take.get("uncapped", take.get("rating")) for path, take in find_rated_takes(folder).items()}
    return {path: float(value) for path, value in values.items() if isinstance(value, int | float)}
