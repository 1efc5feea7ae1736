"""What a trial is worth: its loss, how it sounds, or both. Pure and light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

Objective = Literal["loss", "audio", "both"]
LOSS, SCORE = "validation_loss", "audio_score"
METRICS: dict[Objective, list[str]] = {"loss": [LOSS], "audio": [SCORE], "both": [LOSS, SCORE]}
DIRECTIONS: dict[str, Literal["minimize", "maximize"]] = {LOSS: "minimize", SCORE: "maximize"}

# Two trials whose scores are so close sound alike to a handful of sentences; the lower loss decides. Our judgement:
# a twentieth of the scale is what one faulty take in eight moves it.
SAME_SCORE = 0.05
RULE = (
    f"of the trials that no other beats in both, the highest audio score; among those within {SAME_SCORE:g} of it, the "
    "lowest loss"
)
FORMULA = (
    "audio score = half of (mean uncapped rating - 1) / 4, half of the mean of stop rate, intelligibility and voice"
)


@dataclass(frozen=True)
class Heard:
    """What a trial's takes are worth.

    Attributes:
        score: 0 to 1, higher is better; see ``FORMULA``.
        rating: mean uncapped rating, 1 to 5.
        stop_rate: share of takes that ended by themselves.
        intelligibility: mean part of the rating, 0 to 1; None where nothing could be measured.
        voice: the same for speaker similarity.
        n_takes: that were rated.
    """

    score: float
    rating: float
    stop_rate: float
    intelligibility: float | None
    voice: float | None
    n_takes: int


def heard_of(ratings: Sequence[Mapping[str, Any]], hit_limit: Sequence[bool]) -> Heard | None:
    """Make one number of a trial's takes.

    A loss cannot see a voice that never stops, and a mean rating hides one lost virtue behind the others: so the parts
    that decide whether a voice is usable count once more beside the rating that holds them all.

    Args:
        ratings: of ``ratings.json``: ``uncapped``, ``intelligibility``, ``voice``; a take that could not be rated has
            no ``uncapped``.
        hit_limit: of every take, rated or not.

    Returns:
        None when no take could be rated.
    """
    rated = [take for take in ratings if take.get("uncapped") is not None]
    if not rated or not hit_limit:
        return None
    rating = fmean(float(take["uncapped"]) for take in rated)
    stop_rate = 1 - sum(hit_limit) / len(hit_limit)
    intelligibility, voice = (_mean(rated, part) for part in ("intelligibility", "voice"))
    parts = [part for part in (stop_rate, intelligibility, voice) if part is not None]
    score = 0.5 * (rating - 1) / 4 + 0.5 * fmean(parts)
    return Heard(round(score, 4), round(rating, 3), stop_rate, intelligibility, voice, len(rated))


@dataclass(frozen=True)
class Worth:
    """A complete trial's values.

    Attributes:
        number: of the trial.
        loss: validation loss, where it is known.
        score: audio score, where it was asked for.
    """

    number: int
    loss: float | None
    score: float | None


def best_of(trials: Sequence[Worth], objective: Objective) -> Worth | None:
    """The best trial, the earlier of equals; for ``both`` by ``RULE``."""
    if not trials:
        return None
    if objective == "loss":
        return min(trials, key=lambda trial: (_known(trial.loss), trial.number))
    if objective == "audio":
        return min(trials, key=lambda trial: (-_known(trial.score), trial.number))
    front = front_of(trials)
    top = max(_known(trial.score) for trial in front)
    close = [trial for trial in front if _known(trial.score) >= top - SAME_SCORE]
    return min(close, key=lambda trial: (_known(trial.loss), trial.number))


def front_of(trials: Sequence[Worth]) -> list[Worth]:
    """Those that no other beats in one value without being worse in the other (the Pareto front)."""
    return [trial for trial in trials if not any(_beats(other, trial) for other in trials)]


def _beats(trial: Worth, other: Worth) -> bool:
    loss, score = _known(trial.loss) - _known(other.loss), _known(trial.score) - _known(other.score)
    return loss <= 0 <= score and (loss < 0 or score > 0)


def _known(value: float | None) -> float:
    assert value is not None
    return value


def _mean(takes: Sequence[Mapping[str, Any]], part: str) -> float | None:
    known = [float(take[part]) for take in takes if take.get(part) is not None]
    return round(fmean(known), 4) if known else None
