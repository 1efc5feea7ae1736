"""One instrument of the rating: its description, its measures, and what counts as a fault.

A check compares a clip with the medians of the narrator's clips. Its limit is not a constant: it is fitted on the
narrator, by comparing each of the narrator's clips with the others (leave-one-out).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from jobs.rating.instruments.signal import Signal
from jobs.speaker.narrator_profile import Reference

Values = list[float]
"""Numbers of one measure of one clip; empty where the clip has nothing to measure."""

MARGIN = 1.3  # of the narrator's own worst distance: ten clips show not all that a narrator does


def rises(values: Values, own: Values) -> float:
    """Distance of a value above the narrator's."""
    return values[0] - own[0]


def falls(values: Values, own: Values) -> float:
    """Distance of a value below the narrator's."""
    return own[0] - values[0]


@dataclass(frozen=True)
class Check:
    """A measure of a clip whose distance from the narrator's own shows a fault.

    Attributes:
        code: of the fault.
        measure: numbers of a clip; empty: nothing to measure, no fault. None: a model's, given with the others.
        distance: of a clip's numbers from the narrator's medians; greater is worse.
        least_limit: the limit is never below it, however even the narrator is.
        most_limit: and never above it, however uneven.
        cap: the most that the rating may be.
        sentence: with ``{value}`` and ``{limit}``, distances both.
        part: of the rating to which the fault belongs.
    """

    code: str
    measure: Callable[[Signal], Values] | None
    distance: Callable[[Values, Values], float]
    least_limit: float
    most_limit: float
    sentence: str
    cap: float = 3.0
    part: Literal["sound", "voice", "timing"] = "sound"


@dataclass(frozen=True)
class Instrument:
    """Description of an instrument, with the checks that it makes.

    Attributes:
        version: changes when its numbers change.
        cost: CPU seconds for each second of audio, one thread.
        hears: what it was seen to catch; ``does_not_hear``: what passes it.
        checks: of instruments with limits fitted on the narrator; ``jobs.rating.scoring`` judges the others.
    """

    name: str
    version: str
    licence: str
    cost: float
    hears: str
    does_not_hear: str
    checks: tuple[Check, ...] = field(default=())


def fit_reference(check: Check, clips: Sequence[Values], min_clips: int) -> Reference | None:
    """Fit a check on the narrator's clips by leave-one-out; None if too few of them have the measure."""
    known = [values for values in clips if values]
    if len(known) < min_clips:
        return None
    worst = max(check.distance(values, _medians([*known[:at], *known[at + 1 :]])) for at, values in enumerate(known))
    limit = min(max(MARGIN * worst, check.least_limit), check.most_limit)
    return Reference(tuple(_medians(known)), round(limit, 4), len(known))


def _medians(clips: Sequence[Values]) -> Values:
    return [round(median(numbers), 4) for numbers in zip(*clips, strict=True)]


def measure_all(checks: Sequence[Check], signal: Signal) -> dict[str, Values]:
    """Take the measures of all checks that need no model, by their codes."""
    return {
        check.code: [round(float(each), 4) for each in check.measure(signal)]
        for check in checks
        if check.measure is not None
    }


def distances(
    checks: Sequence[Check], measured: Mapping[str, Values], references: Mapping[str, Reference]
) -> dict[str, float]:
    """Compute the distance of a clip from its narrator for each check that applies to both."""
    return {
        check.code: round(check.distance(values, list(reference.own)), 4)
        for check in checks
        if (values := measured.get(check.code)) and (reference := references.get(check.code)) is not None
    }
