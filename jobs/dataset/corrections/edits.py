"""Corrections folded into one wish for each clip, and clips found again after a new ingest. No heavy imports."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jobs.dataset.corrections.places import parse_place
from jobs.dataset.corrections.record import Correction, Part, in_force, wanted_parts
from jobs.dataset.manifest import Source

SAME_SHARE = 0.8
"""Of the time of two places in a recording together that both have, for them to be the same clip."""
N_NEAR = 16
"""Places by their start, before and after that of a clip, among which its own is looked for."""


@dataclass(frozen=True)
class Edit:
    """Present wish for one clip or rejection.

    Attributes:
        newest: id of the clip's last correction, in force or not; a window that has seen it has seen all.
        is_kept: True: to keep, False: to leave out, None: as the ingest has it.
        parts: text and borders; none: as the ingest has them.
        reference_at: when it was made its speaker's reference clip; 0: it was not.
        at: of the last correction that is in force.
        who: said it.
    """

    newest: str
    is_kept: bool | None = None
    parts: tuple[Part, ...] = ()
    reference_at: float = 0.0
    at: float = 0.0
    who: str = ""

    @property
    def changes(self) -> bool:
        """True unless every correction was taken back."""
        return self.is_kept is not None or bool(self.parts) or self.reference_at > 0


def fold(corrections: Sequence[Correction]) -> dict[str, Edit]:
    """Return the wish for each clip by its key; of corrections of one kind the last one counts."""
    by_clip: dict[str, list[Correction]] = {}
    for one in corrections:
        by_clip.setdefault(one.clip, []).append(one)
    return {clip: _fold(said) for clip, said in by_clip.items()}


def _fold(said: Sequence[Correction]) -> Edit:
    standing = in_force(said)
    is_kept: bool | None = None
    for one in standing:
        if one.action in ("keep", "drop"):
            is_kept = one.action == "keep"
    last = standing[-1] if standing else None
    return Edit(
        newest=said[-1].id,
        is_kept=is_kept,
        parts=wanted_parts(standing),
        reference_at=max((one.at for one in standing if one.action == "reference"), default=0.0),
        at=last.at if last else 0.0,
        who=last.who if last else "",
    )


@dataclass
class EditIndex:
    """Edits to be found by clips; after a new ingest also by those whose borders moved a little.

    Attributes:
        edits: by key.
        unused: keys of edits that change something and that no clip has asked for yet.
    """

    edits: Mapping[str, Edit]
    unused: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.unused = {key for key, edit in self.edits.items() if edit.changes}

    def match(self, places: Mapping[str, Source | None]) -> dict[str, Edit]:
        """Return the edits of clips and rejections by their keys.

        Args:
            places: key of each, and where it lies in its recording.
        """
        found = {key: self.edits[key] for key in places if key in self.edits}
        self.unused -= set(found)
        moved = [place for key in self.unused if (place := parse_place(key)) is not None]
        moved.sort(key=lambda place: (_start(place[1]), place[0]))
        starts = [_start(place) for _, place in moved]
        for key, source in places.items() if moved else ():
            if source is None or key in found:
                continue
            at = bisect_left(starts, _start(source))
            best = max(moved[max(0, at - N_NEAR) : at + N_NEAR], key=lambda place: _shared(place[1], source))
            if best[0] in self.unused and _shared(best[1], source) >= SAME_SHARE:
                found[key] = self.edits[best[0]]
                self.unused.discard(best[0])
        return found


def _start(source: Source) -> tuple[str, float]:
    return source.recording, source.start_s


def _shared(one: Source, other: Source) -> float:
    """Share of the time of two places together that both have, 0 to 1."""
    if one.recording != other.recording:
        return 0.0
    both = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    return max(0.0, both) / max(max(one.end_s, other.end_s) - min(one.start_s, other.start_s), 1e-9)
