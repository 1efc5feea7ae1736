"""Objective of a search: a trial's validation loss, the rating of its takes, or both.

Imports pydantic and the standard library only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from jobs.rating.ratings_file import mean_part

Objective = Literal["loss", "audio", "both"]
LOSS, SCORE = "validation_loss", "audio_score"
METRICS: dict[Objective, list[str]] = {"loss": [LOSS], "audio": [SCORE], "both": [LOSS, SCORE]}
DIRECTIONS: dict[str, Literal["minimize", "maximize"]] = {LOSS: "minimize", SCORE: "maximize"}

# Trials with scores this close count as equal over a few sentences; the lower loss decides. Our judgement: one faulty
# take in eight changes the score by a twentieth of the scale.
SAME_SCORE = 0.05
RULE = (
    f"of the trials that no other beats in both, the highest audio score; among those within {SAME_SCORE:g} of it, the "
    "lowest loss"
)
FORMULA = (
    "audio score = half of (mean uncapped rating - 1) / 4, half of the mean of stop rate, intelligibility and voice"
)


@dataclass(frozen=True)
class AudioScore:
    """Score of a trial's takes, 0 to 1 by ``FORMULA``, with its components.

    The rating is 1 to 5, the parts 0 to 1; None if a part was measured for no take.
    """

    score: float
    rating: float
    stop_rate: float
    intelligibility: float | None
    voice: float | None
    n_takes: int


def score_takes(ratings: Sequence[Mapping[str, Any]], hit_limit: Sequence[bool]) -> AudioScore | None:
    """Combine a trial's takes into one score; None if no take could be rated.

    A loss does not show that a voice never stops, and a mean rating hides one bad part behind good ones. The parts that
    make a voice unusable therefore count once more beside the rating that includes them.

    Args:
        ratings: entries of ``ratings.json``; a take that could not be rated has no ``uncapped``.
        hit_limit: of every take, rated or not.
    """
    rated = [take for take in ratings if take.get("uncapped") is not None]
    if not rated or not hit_limit:
        return None
    rating = fmean(float(take["uncapped"]) for take in rated)
    stop_rate = 1 - sum(hit_limit) / len(hit_limit)
    intelligibility, voice = (mean_part(rated, part) for part in ("intelligibility", "voice"))
    parts = [part for part in (stop_rate, intelligibility, voice) if part is not None]
    score = 0.5 * (rating - 1) / 4 + 0.5 * fmean(parts)
    return AudioScore(round(score, 4), round(rating, 3), stop_rate, intelligibility, voice, len(rated))


@dataclass(frozen=True)
class TrialValues:
    """Values of a trial, as far as they are known; the score if the objective includes audio."""

    number: int
    loss: float | None
    score: float | None


def select_best(trials: Sequence[TrialValues], objective: Objective) -> TrialValues | None:
    """Select the best trial, the earlier of equals; for ``both`` by ``RULE``."""
    if not trials:
        return None
    if objective == "loss":
        return min(trials, key=lambda trial: (_known(trial.loss), trial.number))
    if objective == "audio":
        return min(trials, key=lambda trial: (-_known(trial.score), trial.number))
    front = pareto_front(trials)
    best_score = max(_known(trial.score) for trial in front)
    close = [trial for trial in front if _known(trial.score) >= best_score - SAME_SCORE]
    return min(close, key=lambda trial: (_known(trial.loss), trial.number))


def pareto_front(trials: Sequence[TrialValues]) -> list[TrialValues]:
    """Return the trials that no other beats in one value without being worse in the other."""
    return [trial for trial in trials if not any(_beats(other, trial) for other in trials)]


def _beats(trial: TrialValues, other: TrialValues) -> bool:
    loss, score = _known(trial.loss) - _known(other.loss), _known(trial.score) - _known(other.score)
    return loss <= 0 <= score and (loss < 0 or score > 0)


def _known(value: float | None) -> float:
    assert value is not None
    return value
