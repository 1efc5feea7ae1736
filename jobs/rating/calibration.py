"""A small model of people's scores or votes over the instruments, for one narrator: a ridge regression.

It is checked by leaving out one text after another, and used only if it is certainly better than the plain rating,
whose scale is fitted on the same people. Between scores the error is the distance, between votes the log loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jobs.rating.confidence_interval import interval_of_mean
from jobs.rating.vote_agreement import spearman

MIN_OPINIONS = 30
MIN_TEXTS = 5
MOST_FOLDS = 20
PLAIN = "uncapped"
_PENALTIES = (3.0, 10.0, 30.0, 100.0)  # of a standardised weight
_NEWTON_STEPS = 12
Doubles = NDArray[np.float64]
Kind = Literal["scores", "votes"]


@dataclass(frozen=True)
class Judgement:
    """Opinion on one take, or on the difference between two, with the instruments' numbers for it.

    Attributes:
        text: takes of one text are left out together.
        features: by name, with ``PLAIN``; of two takes the first's less the second's. None: unknown.
        said: mean score; of a vote 1 for the first take, 0 for the second, 0.5 for a tie.
    """

    text: str
    features: Mapping[str, float | None]
    said: float


@dataclass(frozen=True)
class Calibration:
    """Check of the model, and the model itself.

    Attributes:
        kind: what was fitted.
        n: opinions, of ``n_texts`` texts.
        plain_error: of the plain rating on texts that its scale was not fitted on; ``model_error`` of the model.
        plain_spearman: rank correlation with the left-out opinions; ``model_spearman`` the model's.
        gain: mean error that the model saves over the texts, with its 95 % interval from ``low`` to ``high``.
        is_used: the model is certainly better.
        weights: of the standardised features, and ``means`` and ``scales`` to standardise with; ``offset`` is added.
    """

    kind: Kind
    n: int
    n_texts: int
    plain_error: float
    model_error: float
    plain_spearman: float | None
    model_spearman: float | None
    gain: float
    low: float
    high: float
    is_used: bool
    weights: Mapping[str, float]
    means: Mapping[str, float]
    scales: Mapping[str, float]
    offset: float

    def predict(self, features: Mapping[str, float | None]) -> float:
        """Predict a take's score, 1 to 5; after votes, a number on the scale of the plain rating."""
        total = self.offset
        for name, weight in self.weights.items():
            value = features.get(name)
            total += 0.0 if value is None else weight * (value - self.means[name]) / self.scales[name]
        return round(min(5.0, max(1.0, total)), 2)


def calibrate(judgements: Sequence[Judgement], kind: Kind, typical: Mapping[str, float]) -> Calibration | None:
    """Fit and check a model; None with too few opinions or texts.

    ``typical`` are mean features of takes: a model of votes knows differences only; a typical take keeps its rating.
    """
    texts = list(dict.fromkeys(each.text for each in judgements))
    if len(judgements) < MIN_OPINIONS or len(texts) < MIN_TEXTS:
        return None
    names = _usable(judgements)
    matrix = np.array([[_or_nan(each.features.get(name)) for name in names] for each in judgements])
    said = np.array([each.said for each in judgements])
    fold_of = {text: number % MOST_FOLDS for number, text in enumerate(texts)}
    folds = np.array([fold_of[each.text] for each in judgements])
    plain = _leave_out(matrix[:, [names.index(PLAIN)]], said, folds, kind, (0.01,))
    model = _leave_out(matrix, said, folds, kind, _PENALTIES)
    plain_errors, model_errors = _errors(plain, said, kind), _errors(model, said, kind)
    gains: dict[str, list[float]] = {}
    for each, saved in zip(judgements, plain_errors - model_errors, strict=True):
        gains.setdefault(each.text, []).append(float(saved))
    low, high = interval_of_mean(gains)
    fitted = _fit(matrix, said, kind, _best_penalty(matrix, said, folds, kind, _PENALTIES))
    weights, offset = dict(zip(names, map(float, fitted.weights), strict=True)), float(fitted.offset)
    means = dict(zip(names, map(float, fitted.means), strict=True))
    if kind == "votes":  # log odds: put on the scale of the plain rating by what a point of it is worth in odds
        worth = _fit(matrix[:, [names.index(PLAIN)]], said, kind, 0.01)
        odds_of_point = max(0.1, float(worth.weights[0] / worth.scales[0]))
        weights = {name: weight / odds_of_point for name, weight in weights.items()}
        means, offset = {name: typical.get(name, 0.0) for name in names}, typical[PLAIN]
    return Calibration(
        kind=kind,
        n=len(judgements),
        n_texts=len(texts),
        plain_error=round(float(plain_errors.mean()), 3),
        model_error=round(float(model_errors.mean()), 3),
        plain_spearman=spearman(list(plain), list(said)),
        model_spearman=spearman(list(model), list(said)),
        gain=round(float((plain_errors - model_errors).mean()), 3),
        low=low,
        high=high,
        is_used=low > 0,
        weights=weights,
        means=means,
        scales=dict(zip(names, map(float, fitted.scales), strict=True)),
        offset=offset,
    )


@dataclass(frozen=True)
class _Fitted:
    weights: Doubles
    means: Doubles
    scales: Doubles
    offset: float

    def predict(self, matrix: Doubles) -> Doubles:
        found = _standardised(matrix, self.means, self.scales) @ self.weights + self.offset
        return np.asarray(found, np.float64)


def _usable(judgements: Sequence[Judgement]) -> list[str]:
    """Names of the features that nine of ten opinions have and that are not all the same; ``PLAIN`` always."""
    names = dict.fromkeys(name for each in judgements for name in each.features)
    known = {name: [v for each in judgements if (v := each.features.get(name)) is not None] for name in names}
    usable = [name for name in names if len(known[name]) >= 0.9 * len(judgements) and len(set(known[name])) > 1]
    return [PLAIN, *(name for name in usable if name != PLAIN)]


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _standardised(matrix: Doubles, means: Doubles, scales: Doubles) -> Doubles:
    return np.nan_to_num((matrix - means) / scales)


def _fit(matrix: Doubles, said: Doubles, kind: Kind, penalty: float) -> _Fitted:
    """Fit a ridge regression; of votes a logistic one without an offset, since takes may change places."""
    is_votes = kind == "votes"
    means = np.zeros(matrix.shape[1]) if is_votes else np.nan_to_num(np.nanmean(matrix, axis=0))
    scales = np.sqrt(np.nanmean((matrix - means) ** 2, axis=0))
    scales = np.where(np.isfinite(scales) & (scales > 1e-9), scales, 1.0)
    shaped = _standardised(matrix, means, scales)
    ridge = penalty * np.eye(shaped.shape[1])
    if not is_votes:
        offset = float(said.mean())
        linear = np.linalg.solve(shaped.T @ shaped + ridge, shaped.T @ (said - offset))
        return _Fitted(np.asarray(linear, np.float64), means, scales, offset)
    weights: Doubles = np.zeros(shaped.shape[1])
    for _ in range(_NEWTON_STEPS):
        chance = _chance(shaped @ weights)
        curvature = shaped.T @ (shaped * (chance * (1 - chance))[:, None]) + ridge
        weights = weights + np.linalg.solve(curvature, shaped.T @ (said - chance) - penalty * weights)
    return _Fitted(weights, means, scales, 0.0)


def _chance(odds: Doubles) -> Doubles:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))), np.float64)


def _errors(predicted: Doubles, said: Doubles, kind: Kind) -> Doubles:
    if kind == "scores":
        return np.abs(predicted - said)
    chance = np.clip(_chance(predicted), 1e-6, 1 - 1e-6)
    return np.asarray(-(said * np.log(chance) + (1 - said) * np.log(1 - chance)), np.float64)


def _leave_out(matrix: Doubles, said: Doubles, folds: Doubles, kind: Kind, penalties: Sequence[float]) -> Doubles:
    """Predict each opinion by a model that knows no take of its text; the penalty is chosen without it, too."""
    predicted = np.empty(len(said))
    for fold in np.unique(folds):
        out = folds == fold
        penalty = _best_penalty(matrix[~out], said[~out], folds[~out], kind, penalties)
        predicted[out] = _fit(matrix[~out], said[~out], kind, penalty).predict(matrix[out])
    return predicted


def _best_penalty(matrix: Doubles, said: Doubles, folds: Doubles, kind: Kind, penalties: Sequence[float]) -> float:
    if len(penalties) == 1:
        return penalties[0]
    costs = []
    for penalty in penalties:
        predicted = np.empty(len(said))
        for fold in np.unique(folds):
            out = folds == fold
            predicted[out] = _fit(matrix[~out], said[~out], kind, penalty).predict(matrix[out])
        costs.append(float(_errors(predicted, said, kind).mean()))
    return penalties[int(np.argmin(costs))]
