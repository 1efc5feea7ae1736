"""Clips cut at the pauses that alignment found: the new file, its row, and what becomes of the rest."""

from __future__ import annotations

import os
from pathlib import Path

from jobs.align.trim import Aligned
from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip, write_clip
from jobs.dataset.manifest import Clip, Rejection, Source


def cut_clip(row: Clip, path: Path, aligned: Aligned) -> Clip:
    """Write the part that is kept beside the clip, which stays as it is, and name it by its milliseconds.

    Args:
        row: of the whole clip.
        path: its audio.
        aligned: what is kept.

    Returns:
        The row of the part.
    """
    samples = read_clip(path, CLIP_RATE_HZ)
    first, last = (round(time_s * CLIP_RATE_HZ) for time_s in (aligned.start_s, aligned.end_s))
    part = samples[first:last]
    span = f"_{aligned.start_s * 1000:.0f}-{aligned.end_s * 1000:.0f}.wav"
    write_clip(path.with_name(path.stem + span), part, CLIP_RATE_HZ)
    source = row.source
    update = {
        "audio": os.path.splitext(row.audio)[0] + span,  # noqa: PTH122 (a path of the manifest, as it was written)
        "text": aligned.text,
        "duration_s": round(len(part) / CLIP_RATE_HZ, 6),
        "source": _part(source, aligned.start_s, aligned.end_s) if source is not None else None,
    }
    if "spoken" in (row.model_extra or {}):
        update["spoken"] = None  # of the whole text
    return row.model_copy(update=update)


def lost_pieces(row: Clip, aligned: Aligned, number: int) -> list[Rejection]:
    """What was cut off, as lines of the rejections."""
    whole = row.source or Source(recording=row.audio, start_s=0.0, end_s=row.duration_s or aligned.end_s)
    return [
        Rejection(
            source=_part(whole, piece.start_s, piece.end_s),
            reason="word_cut",
            detail=f"line {number}: the clip's border cuts a word; it was moved to the next pause",
            text=piece.text,
            audio=row.audio,
        )
        for piece in aligned.lost
    ]


def _part(source: Source, start_s: float, end_s: float) -> Source:
    return source.model_copy(
        update={"start_s": round(source.start_s + start_s, 6), "end_s": round(source.start_s + end_s, 6)}
    )
