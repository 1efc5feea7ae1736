"""Profile of a narrator: medians over the narrator's own clips, which clips and takes are compared with.

A dataset's profile, for its quality filter, is in ``jobs.dataset.quality.narrator_stats``; a rating's is made in
``jobs.rating.narrator_clips``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

MIN_PROFILE_CLIPS = 5  # SIM to the centroid of 1, 3, 5, 20 clips: 0.919, 0.929, 0.943, 0.956


@dataclass(frozen=True, kw_only=True)
class NarratorProfile:
    """Measures that every profile has. None: too few clips, or not measured.

    Attributes:
        n_clips: clips with speech, of which the medians are.
        speaking_rate: phones (English) or letters per second between first and last speech.
    """

    n_clips: int
    speaking_rate: float | None
    pitch_hz: float | None = None


@dataclass(frozen=True)
class LengthScores:
    """Median scores of the narrator's clips of one length; SIM is to the other clips (leave-one-out)."""

    length_s: float
    sim: float
    ovrl: float
    p808: float


@dataclass(frozen=True)
class Reference:
    """The narrator's medians of a measure, the limit of the distance from them, and how many clips both are of."""

    own: tuple[float, ...]
    limit: float
    n_clips: int


@dataclass(frozen=True, kw_only=True)
class RatingProfile(NarratorProfile):
    """Profile that takes are rated against.

    Attributes:
        own: scores by ascending length; the last ones are of whole clips.
        rate_unit: ``phones/s`` or ``letters/s``.
        wer: of recognition that expects the true text; None where the language cannot be recognised.
        references: of the instruments, by the code of their fault, fitted on these clips.
        shortest_fitted_s: speech in the shortest clip that they were fitted on; shorter takes vary more.
    """

    language: str
    own: tuple[LengthScores, ...]
    rate_unit: str
    longest_pause_s: float
    wer: float | None = None
    references: Mapping[str, Reference] = field(default_factory=dict)
    shortest_fitted_s: float = 0.0

    @property
    def whole(self) -> LengthScores:
        """Scores of whole clips."""
        return self.own[-1]

    def at(self, length_s: float) -> LengthScores:
        """Interpolate the scores of clips of a length between the measured lengths."""
        below = [scores for scores in self.own if scores.length_s <= length_s]
        above = [scores for scores in self.own if scores.length_s > length_s]
        if not below or not above:
            return self.own[0] if above else self.own[-1]
        low, high = below[-1], above[0]
        share = (length_s - low.length_s) / (high.length_s - low.length_s)
        return LengthScores(
            length_s=length_s,
            sim=low.sim + share * (high.sim - low.sim),
            ovrl=low.ovrl + share * (high.ovrl - low.ovrl),
            p808=low.p808 + share * (high.p808 - low.p808),
        )


def median_of_known(values: Iterable[float | None]) -> float | None:
    """Return the median of the values that are known; None when there are none."""
    known = [value for value in values if value is not None]
    return median(known) if known else None
