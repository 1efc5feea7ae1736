"""Faults whose limits are fitted on the narrator: distances of the instruments, and single words."""

from collections.abc import Iterator
from typing import Literal

from jobs.rating.instruments.registry import CHECKS
from jobs.rating.instruments.words import CHANGED, WordChange, evidence_limit
from jobs.rating.rating_types import Fault, Features
from jobs.speaker.narrator_profile import RatingProfile

AT_LIMIT = 4.5  # cap of a distance at its limit, which is an estimate itself ...
FULLY = 1.25  # ... and of one that is this many limits, the cap of the check
FURTHER = 0.5  # taken off the cap for every time that a distance holds its limit once more, at most MOST_FURTHER
MOST_FURTHER = 1.0
CHANGED_CAP = 3.0
MOST_NAMED = 4


def instrument_faults(
    part: Literal["sound", "voice", "timing"], features: Features, profile: RatingProfile
) -> Iterator[Fault]:
    """Find the distances beyond their limits that belong to a part of the rating; none of a take too short for them."""
    span_s = features.prosody.speech_span_s
    if span_s < profile.shortest_fitted_s:
        if part == "sound":
            shortest = f"{profile.shortest_fitted_s:.1f} s, the narrator's shortest"
            yield Fault("colour_unchecked", f"colour and melody were not judged: {span_s:.1f} s of speech ({shortest})")
        return
    for check in CHECKS:
        reference, distance = profile.references.get(check.code), features.distances.get(check.code)
        if check.part != part or reference is None or distance is None or distance <= reference.limit:
            continue
        why = check.sentence.format(value=distance, limit=reference.limit)
        yield Fault(check.code, why, _cap(check.cap, distance / reference.limit))


def _cap(cap: float, times: float) -> float:
    """Return the cap of a distance that is ``times`` its limit: it falls steeply to the check's, then slowly."""
    beyond = min(1.0, (times - 1) / (FULLY - 1))
    further = min(MOST_FURTHER, FURTHER * max(0.0, times - FULLY))
    return round(max(cap, AT_LIMIT) + (cap - max(cap, AT_LIMIT)) * beyond - further, 2)


def certain_changes(features: Features, profile: RatingProfile) -> list[WordChange]:
    """Return the changes of words whose evidence is above what the narrator's own clips give, the surest first."""
    reference = profile.references.get(CHANGED)
    if reference is None:
        return []
    return [each for each in features.changes if each.evidence > evidence_limit(each, reference)]


def word_faults(features: Features, profile: RatingProfile) -> Iterator[Fault]:
    """Name the words that were skipped, repeated, added or misread beyond doubt."""
    reference, changes = profile.references.get(CHANGED), certain_changes(features, profile)
    if changes and reference is not None:
        named = ", ".join(map(str, changes[:MOST_NAMED])) + (" and more" if len(changes) > MOST_NAMED else "")
        why = f"{named} (evidence {changes[0].evidence:.0f}, limit {reference.limit:.0f})"
        yield Fault(f"word_{changes[0].kind}", why, CHANGED_CAP)
