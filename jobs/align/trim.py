"""Trimming of clips whose border cuts a word: the border moves to the next pause between aligned words."""

import hashlib
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field

from jobs.align.word_boundaries import CUT_DB, FRAMES_PER_S, Levels, find_cut_words, silence_db, words_level_db
from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip, write_clip
from jobs.dataset.audio_roots import name_from
from jobs.dataset.manifest import LONGEST_READ_S, Clip, Rejection, Source, Word
from jobs.files.folders import make_folder
from jobs.text.english_normalization import written_between

MIN_KEPT_S, MIN_KEPT_SHARE = 1.0, 0.5
MIN_PAUSE_S = 0.06  # chosen, not fitted; the level decides below
LONGEST_LEAD_S = 0.2  # of a pause that is kept


class RemovedPart(BaseModel):
    """A part removed from a clip: seconds of the clip, and its words."""

    start_s: float
    end_s: float
    text: str


class AlignedClip(BaseModel):
    """A clip whose words have times, or the part of it that is kept. Fields are those of the journal.

    Attributes:
        words: with times of the part.
        text: of the part, when ``lost`` is not empty.
        start_s: start of the part in the clip.
        end_s: end of the part in the clip.
        lost: removed parts; empty when the clip stays as it is.
    """

    words: list[Word] = Field(min_length=1)
    text: str = ""
    start_s: float = Field(0.0, ge=0, le=LONGEST_READ_S + 1)
    end_s: float = Field(0.0, ge=0, le=LONGEST_READ_S + 1)
    lost: list[RemovedPart] = Field(default_factory=list)


@dataclass(frozen=True)
class _Kept:
    """The words ``first:last``, and the audio from ``start_s`` to ``end_s``."""

    first: int
    last: int
    start_s: float
    end_s: float


def trim_to_pauses(levels: Levels, words: Sequence[Word], text: str, duration_s: float) -> AlignedClip | None:
    """Move borders that cut a word to the next pause.

    None when no pause is near enough, or too little would be left.
    """
    at_start, at_end = find_cut_words(levels, words)
    if not at_start and not at_end:
        return AlignedClip(words=list(words), end_s=duration_s)
    kept = _kept(levels, words, duration_s, at_start=at_start, at_end=at_end)
    texts = _texts(text, words, (0, kept.first, kept.last, len(words))) if kept is not None else None
    if kept is None or texts is None:
        return None
    before, own, after = texts
    lost = [RemovedPart(start_s=0.0, end_s=kept.start_s, text=before)] if at_start else []
    lost += [RemovedPart(start_s=kept.end_s, end_s=duration_s, text=after)] if at_end else []
    return AlignedClip(words=_moved(words, kept), text=own, start_s=kept.start_s, end_s=kept.end_s, lost=lost)


def _kept(levels: Levels, words: Sequence[Word], duration_s: float, *, at_start: bool, at_end: bool) -> _Kept | None:
    first, start_s, last, end_s = 0, 0.0, len(words), duration_s
    if at_start:
        found = _first_cut(levels, words, range(1, len(words)))
        if found is None:
            return None
        first, start_s = found
    if at_end:
        found = _first_cut(levels, words, range(len(words) - 1, 0, -1))
        if found is None:
            return None
        last, end_s = found
    if first >= last or end_s - start_s < max(MIN_KEPT_S, MIN_KEPT_SHARE * duration_s):
        return None
    return _Kept(first, last, start_s, end_s)


def _texts(text: str, words: Sequence[Word], borders: Sequence[int]) -> list[str] | None:
    """Return the text between borders (word indices) with punctuation; None when the text lacks the words."""
    places, at = [], 0
    for word in words:
        start = text.find(word.word, at)
        if start < 0:
            return None
        at = start + len(word.word)
        places.append((start, at))
    starts = [start for start, _ in places] + [len(text)]
    return [
        written_between(text, starts[first], places[last - 1][1], starts[last]) if first < last else ""
        for first, last in itertools.pairwise(borders)
    ]


def _moved(words: Sequence[Word], kept: _Kept) -> list[Word]:
    """Return the words of the part with times of the part."""

    def shifted(time_s: float) -> float:
        return round(min(max(0.0, time_s - kept.start_s), kept.end_s - kept.start_s), 3)

    return [
        word.model_copy(update={"start_s": shifted(word.start_s), "end_s": shifted(word.end_s)})
        for word in words[kept.first : kept.last]
    ]


def _first_cut(levels: Levels, words: Sequence[Word], borders: range) -> tuple[int, float] | None:
    """Return the first border between words with a pause, and the middle of the quietest place of the pause."""
    # steady noise has no quieter floor: there a pause must be as quiet as a border that cuts no word
    silent_db = min(silence_db(levels, words), words_level_db(levels, words) - CUT_DB)
    for border in borders:
        start_s, end_s = words[border - 1].end_s, words[border].start_s
        if end_s - start_s < MIN_PAUSE_S:
            continue
        if borders.step > 0:  # the cut lies near the words that are kept
            start_s = max(start_s, end_s - LONGEST_LEAD_S)
        else:
            end_s = min(end_s, start_s + LONGEST_LEAD_S)
        pause = levels[round(start_s * FRAMES_PER_S) : round(end_s * FRAMES_PER_S)]
        if len(pause) >= 3:
            quiet = np.convolve(pause, np.ones(3) / 3, "valid")
            place = int(np.argmin(quiet))
            if quiet[place] < silent_db:
                return border, round(start_s, 2) + (place + 1.5) / FRAMES_PER_S
    return None


def write_trimmed_clip(row: Clip, path: Path, aligned: AlignedClip, root: Path, out: Path) -> Clip:
    """Write the part that is kept to a file named by its milliseconds; the clip stays as it is.

    It lies next to the clip, or in ``out``/clips where the clip at ``path`` lies elsewhere. The row's audio is relative
    to ``root``, or absolute.
    """
    samples = read_clip(path, CLIP_RATE_HZ)
    first, last = (round(time_s * CLIP_RATE_HZ) for time_s in (aligned.start_s, aligned.end_s))
    part = samples[first:last]
    span = f"_{aligned.start_s * 1000:.0f}-{aligned.end_s * 1000:.0f}.wav"
    if path.is_relative_to(os.path.realpath(out)):
        written, name = path.with_name(path.stem + span), os.path.splitext(row.audio)[0] + span  # noqa: PTH122
    else:
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]  # clips of several folders may have one name
        written = out / "clips" / f"{path.stem}-{digest}{span}"
        make_folder(written.parent)
        name = name_from(root, written)
    write_clip(written, part, CLIP_RATE_HZ)
    source = row.source
    update = {
        "audio": name,
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
