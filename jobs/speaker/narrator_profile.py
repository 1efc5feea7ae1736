"""The narrator as a rating sees him: medians over his own clips, which every take is compared with. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Own:
    """What the narrator's own clips of one length score: medians, SIM leave-one-out."""

    length_s: float
    sim: float
    ovrl: float
    p808: float


@dataclass(frozen=True)
class Profile:
    """The narrator, from at least five clips: medians.

    Attributes:
        own: by ascending length; the last one is for whole clips.
        speaking_rate: phones (English) or letters a second between first and last speech; None without text.
        rate_unit: ``phones/s`` or ``letters/s``.
        wer: of recognition that expects the true text; None where the language cannot be recognised.
    """

    n_clips: int
    language: str
    own: tuple[Own, ...]
    speaking_rate: float | None
    rate_unit: str
    longest_pause_s: float
    pitch_hz: float | None = None
    pitch_sd_st: float | None = None
    treble_db: float | None = None
    wer: float | None = None

    @property
    def whole(self) -> Own:
        """What whole clips score."""
        return self.own[-1]

    def at(self, length_s: float) -> Own:
        """What the narrator's clips of a length score, between the lengths that were measured."""
        below = [own for own in self.own if own.length_s <= length_s]
        above = [own for own in self.own if own.length_s > length_s]
        if not below or not above:
            return self.own[0] if above else self.own[-1]
        low, high = below[-1], above[0]
        share = (length_s - low.length_s) / (high.length_s - low.length_s)
        return Own(
            length_s=length_s,
            sim=low.sim + share * (high.sim - low.sim),
            ovrl=low.ovrl + share * (high.ovrl - low.ovrl),
            p808=low.p808 + share * (high.p808 - low.p808),
        )
