"""Trimmed clips: the new file and its row, and the rejections of the parts that were removed."""

from __future__ import annotations

import os
from pathlib import Path

from jobs.align.trim import AlignedClip
from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip, write_clip
from jobs.dataset.manifest import Clip, Rejection, Source


def write_trimmed_clip(row: Clip, path: Path, aligned: AlignedClip) -> Clip:
    """Write the part that is kept to a file next to the clip, named by its milliseconds. The clip stays as it is.

    Args:
        row: of the whole clip.
        path: of its audio.
        aligned: the part that is kept.

    Returns:
        Row of the part.
    """
    samples = read_clip(path, CLIP_RATE_HZ)
    first, last = (round(time_s * CLIP_RATE_HZ) for time_s in (aligned.start_s, aligned.end_s))
    part = samples[first:last]
    span = f"_{aligned.start_s * 1000:.0f}-{aligned.end_s * 1000:.0f}.wav"
    write_clip(path.with_name(path.stem + span), part, CLIP_RATE_HZ)
    source = row.source
    update = {
        "audio": os.path.splitext(row.audio)[0] + span,  # noqa: PTH122 (a path of the manifest, as written)
        "text": aligned.text,
        "duration_s": round(len(part) / CLIP_RATE_HZ, 6),
        "source": _source_of_part(source, aligned.start_s, aligned.end_s) if source is not None else None,
    }
    if "spoken" in (row.model_extra or {}):
        update["spoken"] = None  # of the whole text
    return row.model_copy(update=update)


def reject_removed_parts(row: Clip, aligned: AlignedClip, number: int) -> list[Rejection]:
    """Return the removed parts as rejections."""
    whole = row.source or Source(recording=row.audio, start_s=0.0, end_s=row.duration_s or aligned.end_s)
    return [
        Rejection(
            source=_source_of_part(whole, part.start_s, part.end_s),
            reason="word_cut",
            detail=f"line {number}: the clip's border cuts a word; it was moved to the next pause",
            text=part.text,
            audio=row.audio,
        )
        for part in aligned.lost
    ]


def _source_of_part(source: Source, start_s: float, end_s: float) -> Source:
    return source.model_copy(
        update={"start_s": round(source.start_s + start_s, 6), "end_s": round(source.start_s + end_s, 6)}
    )
