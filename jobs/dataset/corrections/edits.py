"""Corrections folded into one wish for each clip, and clips found again after a new ingest. No heavy imports."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jobs.dataset.corrections.record import Correction, Part, in_force
from jobs.dataset.manifest import Source

SAME_SHARE = 0.8
"""Of the time of two places in a recording together that both have, for them to be the same clip."""
_PLACE = re.compile(r"(?P<recording>.*)@(?P<start>\d+\.\d+)-(?P<end>\d+\.\d+)", re.DOTALL)


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
    parts: tuple[Part, ...] = ()
    is_kept: bool | None = None
    for one in standing:
        if one.action == "change":
            parts = tuple(one.parts) if len(one.parts) > 1 or len(parts) != 1 else (_joined(parts[0], one.parts[0]),)
        elif one.action in ("keep", "drop"):
            is_kept = one.action == "keep"
    last = standing[-1] if standing else None
    return Edit(
        newest=said[-1].id,
        is_kept=is_kept,
        parts=parts,
        reference_at=max((one.at for one in standing if one.action == "reference"), default=0.0),
        at=last.at if last else 0.0,
        who=last.who if last else "",
    )


def _joined(earlier: Part, later: Part) -> Part:
    """The later wish, with what it leaves open from the earlier one."""
    return Part(**{**earlier.model_dump(exclude_none=True), **later.model_dump(exclude_none=True)})


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
        moved = [place for key in sorted(self.unused) if (place := parse_place(key)) is not None]
        for key, source in places.items() if moved else ():
            if source is None or key in found:
                continue
            near = max(moved, key=lambda place: _shared(place[1], source))
            if near[0] in self.unused and _shared(near[1], source) >= SAME_SHARE:
                found[key] = self.edits[near[0]]
                self.unused.discard(near[0])
        return found


def parse_place(key: str) -> tuple[str, Source] | None:
    """Return a key with the place that it names; None for the name of a file."""
    named = _PLACE.fullmatch(key)
    if named is None:
        return None
    return key, Source(recording=named["recording"], start_s=float(named["start"]), end_s=float(named["end"]))


def _shared(one: Source, other: Source) -> float:
    """Share of the time of two places together that both have, 0 to 1."""
    if one.recording != other.recording:
        return 0.0
    both = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    return max(0.0, both) / max(max(one.end_s, other.end_s) - min(one.start_s, other.start_s), 1e-9)
