"""Totals of a manifest, counted from its lines without opening audio; imports no heavy library."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from jobs.dataset.manifest import Clip, read_rows

USUAL_CLIP_S = 5.0  # taken for a clip whose line does not say how long it is


@dataclass
class Extent:
    """Totals of a manifest.

    Attributes:
        n_clips: lines.
        seconds: of audio; clips whose line has no length count as 5 s.
        n_without_length: such clips.
        n_without_text: clips that no later step can use.
        languages: clips of each.
    """

    n_clips: int = 0
    seconds: float = 0.0
    n_without_length: int = 0
    n_without_text: int = 0
    languages: Counter[str] = field(default_factory=Counter)


def length_of(row: Clip) -> float:
    """Return the seconds that a line's clip counts for."""
    return row.duration_s or USUAL_CLIP_S


def read_extent(manifest: Path) -> Extent:
    """Read all lines.

    Raises:
        UserError: ``manifest_missing``, ``manifest_unreadable``.
    """
    extent = Extent()
    for row in read_rows(manifest, Clip):
        extent.n_clips += 1
        extent.seconds += length_of(row)
        extent.n_without_length += row.duration_s is None
        extent.n_without_text += not any(character.isalnum() for character in row.text)
        extent.languages[row.language] += 1
    return extent


def summarise_extent(extent: Extent) -> dict[str, object]:
    """Return the totals for a dry run."""
    rare = {"clips_without_length": extent.n_without_length, "clips_without_text": extent.n_without_text}
    return {
        "clips": extent.n_clips,
        "hours": round(extent.seconds / 3600, 3),
        **{name: count for name, count in rare.items() if count},
    }
