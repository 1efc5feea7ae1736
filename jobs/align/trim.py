"""Cut points moved to the pauses that alignment found: of a clip whose border cuts a word, what can be kept. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, Field

from jobs.align.word_boundaries import CUT_DB, FRAMES_PER_S, Levels, cut_sides, silence_db, words_level_db
from jobs.dataset.manifest import Word
from jobs.text.english_normalization import written_between

MIN_KEPT_S, MIN_KEPT_SHARE = 1.0, 0.5
MIN_PAUSE_S = 0.06  # chosen, not fitted: the sound decides, below
LONGEST_LEAD_S = 0.2  # of the pause that is kept


class Lost(BaseModel):
    """A piece cut off a clip: seconds of the clip, and its words."""

    start_s: float
    end_s: float
    text: str


class Aligned(BaseModel):
    """A clip whose words have times, or the part of it that is kept.

    Attributes:
        words: in the time of what is kept.
        text: what they are of the clip's text, when ``lost`` is not empty.
        start_s: where what is kept begins in the clip; its end is ``end_s``.
        lost: what was cut off; nothing when the clip stays as it is.
    """

    words: list[Word]
    text: str = ""
    start_s: float = 0.0
    end_s: float = 0.0
    lost: list[Lost] = Field(default_factory=list)


@dataclass(frozen=True)
class _Kept:
    """The words ``first:last``, and the sound from ``start_s`` to ``end_s``."""

    first: int
    last: int
    start_s: float
    end_s: float


def trimmed(levels: Levels, words: Sequence[Word], text: str, duration_s: float) -> Aligned | None:
    """Move borders that cut a word to the next pause.

    Args:
        levels: of the clip, in dB each 10 ms.
        words: all of its words, edges fitted to the sound.
        text: of the clip.
        duration_s: of the clip.

    Returns:
        The clip as it is when no border cuts a word, else what is kept of it; None when no pause is near enough, or too
        little would be left.
    """
    at_start, at_end = cut_sides(levels, words)
    if not at_start and not at_end:
        return Aligned(words=list(words), end_s=duration_s)
    kept = _kept(levels, words, duration_s, at_start=at_start, at_end=at_end)
    texts = _texts(text, words, (0, kept.first, kept.last, len(words))) if kept is not None else None
    if kept is None or texts is None:
        return None
    before, own, after = texts
    lost = [Lost(start_s=0.0, end_s=kept.start_s, text=before)] if at_start else []
    lost += [Lost(start_s=kept.end_s, end_s=duration_s, text=after)] if at_end else []
    return Aligned(words=_moved(words, kept), text=own, start_s=kept.start_s, end_s=kept.end_s, lost=lost)


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
    """The text between borders (numbers of words), each with its punctuation; None: it does not have the words."""
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
    """The words that are kept, in the time of what is kept."""

    def shifted(time_s: float) -> float:
        return round(min(max(0.0, time_s - kept.start_s), kept.end_s - kept.start_s), 3)

    return [
        word.model_copy(update={"start_s": shifted(word.start_s), "end_s": shifted(word.end_s)})
        for word in words[kept.first : kept.last]
    ]


def _first_cut(levels: Levels, words: Sequence[Word], borders: range) -> tuple[int, float] | None:
    """The first border between words that has a pause, and the middle of the quietest part of that pause."""
    # in steady noise nothing is under its floor: there a pause must be as quiet as a border that cuts no word
    silent_db = min(silence_db(levels, words), words_level_db(levels, words) - CUT_DB)
    for border in borders:
        start_s, end_s = words[border - 1].end_s, words[border].start_s
        if end_s - start_s < MIN_PAUSE_S:
            continue
        if borders.step > 0:  # near the words that are kept
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
