"""Which clips are held out for validation: by chapter, so that no sentence is learnt that is tested. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jobs.dataset.manifest import Clip

FEWEST_CLIPS = 20  # a smaller dataset learns from all it has, as in start_training
FEWEST_HELD_OUT = 3
_WHOLE_CHAPTER = (0.5, 2.0)  # a chapter this many times the share asked for is held out whole

Split = Literal["train", "validation"]
Place = tuple[str, str, int | None]  # speaker, recording, chapter


def split(clips: Sequence[Clip], share: float) -> list[Split]:
    """Hold out about ``share`` of each speaker's clips; nothing of fewer than twenty.

    A whole chapter (not the first or last, which hold credits) when one is near that size; else the last clips of
    every chapter. The same clips give the same split.

    Args:
        clips: in order.
        share: of the seconds to hold out, 0 to 0.5.
    """
    answer: list[Split] = ["train"] * len(clips)
    for speaker in dict.fromkeys(clip.speaker for clip in clips):
        places = [place for place, clip in enumerate(clips) if clip.speaker == speaker]
        if len(places) < FEWEST_CLIPS or share <= 0:
            continue
        for place in _held_out(clips, places, share):
            answer[place] = "validation"
    return answer


def _held_out(clips: Sequence[Clip], places: Sequence[int], share: float) -> list[int]:
    chapters: dict[Place, list[int]] = {}
    for place in places:
        chapters.setdefault(_chapter(clips[place]), []).append(place)
    total = sum(_length(clips[place]) for place in places)
    sizes = {chapter: sum(_length(clips[place]) for place in found) / total for chapter, found in chapters.items()}
    inner = list(chapters)[1:-1]
    near = [
        chapter
        for chapter in inner
        if _WHOLE_CHAPTER[0] * share <= sizes[chapter] <= _WHOLE_CHAPTER[1] * share
        and len(chapters[chapter]) >= FEWEST_HELD_OUT
    ]
    if near:
        return chapters[min(near, key=lambda chapter: abs(sizes[chapter] - share))]
    found: list[int] = []
    for members in chapters.values():
        found += members[len(members) - _n_last(len(members), share, len(chapters)) :]
    return found


def _n_last(n_clips: int, share: float, n_chapters: int) -> int:
    least = -(-FEWEST_HELD_OUT // n_chapters)
    return min(max(round(share * n_clips), least if n_clips > 2 * least else 0), n_clips // 2)


def _chapter(clip: Clip) -> Place:
    source = clip.source
    if source is None:
        return clip.speaker, "", None
    recording = source.recording if clip.transcript != "curated" else ""  # a curated clip is its own recording
    return clip.speaker, recording, source.chapter


def _length(clip: Clip) -> float:
    return clip.duration_s or 1.0
