"""The train/validation split of a dataset, and even samples of it.

Ingest, training and rating hold clips out with ``split``; every even sample of a list is drawn with ``sample_evenly``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from jobs.dataset.manifest import USUAL_CLIP_S, Clip

MIN_CLIPS_TO_SPLIT = 20  # a speaker with fewer clips trains on all of them
MIN_HELD_OUT_CLIPS = 3
SPLIT_RULE = "by speaker and chapter"  # part of the identity of what depends on the split
DEFAULT_SHARE = 0.05
_WHOLE_CHAPTER = (0.5, 2.0)  # a chapter of this many times the wanted length is held out whole
_MAX_CLIP_SHARE = 0.5  # of a speaker's clips

Split = Literal["train", "validation"]
Chapter = tuple[str, int | None]  # recording, number of the chapter
T = TypeVar("T")


@dataclass(frozen=True)
class SplitRow:
    """The fields of a clip that decide its split; ``chapter`` is (recording, chapter number), None without a source."""

    speaker: str
    text: str
    duration_s: float
    chapter: Chapter | None = None

    @classmethod
    def from_clip(cls, clip: Clip, *, speaker: str | None = None, duration_s: float | None = None) -> SplitRow:
        """Read a row of a manifest, with another speaker or length when given; no length counts as 5 s."""
        source = None if clip.transcript == "curated" else clip.source
        return cls(
            speaker=clip.speaker if speaker is None else speaker,
            text=clip.text,
            duration_s=duration_s or clip.duration_s or USUAL_CLIP_S,
            chapter=None if source is None else (source.recording, source.chapter),
        )


@dataclass(frozen=True)
class _TextGroup:
    """All clips in which a speaker says one text: they are held out together or not at all."""

    rows: tuple[int, ...]
    chapters: frozenset[Chapter | None]
    duration_s: float


def split(rows: Sequence[SplitRow], share: float) -> list[Split]:
    """Choose the validation clips of each speaker, about ``share`` of the speaker's audio.

    Whole inner chapters are preferred: the one nearest to the wanted length, if it is half to twice as long. Otherwise
    the middle clips of every inner chapter are held out; without inner chapters, the middle clips of all chapters.

    Guarantees, for each speaker:
        - Clips stay in training: at most half of them are held out, except as a whole inner chapter.
        - At least ``MIN_HELD_OUT_CLIPS`` are held out of ``MIN_CLIPS_TO_SPLIT`` or more, as far as the inner chapters
          have so many; of fewer clips, none.
        - No clip of the first or last chapter is held out, because those hold the credits. With one or two chapters,
          the first and the last clip are not held out.
        - No text is both in training and in validation. A text that is also spoken in a first or last chapter is
          never held out.
        - The same rows in the same order give the same split.

    Args:
        rows: clips in the order of the recordings.
        share: of each speaker's seconds, 0 to 0.5; 0 holds out nothing.

    Returns:
        The split of each row.
    """
    answer: list[Split] = ["train"] * len(rows)
    speakers: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        speakers.setdefault(row.speaker, []).append(index)
    for indices in speakers.values():
        if len(indices) >= MIN_CLIPS_TO_SPLIT and share > 0:
            for index in _held_out(rows, indices, share):
                answer[index] = "validation"
    return answer


def split_clips(clips: Sequence[Clip], share: float) -> list[Split]:
    """Choose the validation clips among the rows of a manifest; see ``split``."""
    return split([SplitRow.from_clip(clip) for clip in clips], share)


def inner_indices(rows: Sequence[SplitRow]) -> list[int]:
    """Return the indices of one speaker's clips outside of first and last chapters, in order.

    First and last are meant of all recordings together, and of each recording with three chapters or more. Of clips of
    one or two chapters, all but the first and the last clip are returned.
    """
    recordings: dict[str | None, dict[Chapter | None, None]] = {}
    for row in rows:
        recordings.setdefault(row.chapter[0] if row.chapter else None, {})[row.chapter] = None
    ordered = [sorted(found, key=_number) for found in recordings.values()]
    if sum(len(found) for found in ordered) < 3:
        return list(range(len(rows)))[1:-1]
    books = [found for found in ordered if len(found) > 2]
    edges = {ordered[0][0], ordered[-1][-1], *(found[0] for found in books), *(found[-1] for found in books)}
    return [index for index, row in enumerate(rows) if row.chapter not in edges]


def sample_evenly(items: Sequence[T], n: int) -> list[T]:
    """Return at most ``n`` items, evenly spread over their order; the first is always among them."""
    n = max(0, min(n, len(items)))
    return [items[number * len(items) // n] for number in range(n)]


def _held_out(rows: Sequence[SplitRow], indices: Sequence[int], share: float) -> list[int]:
    """Choose indices to hold out among the clips of one speaker."""
    own = [rows[index] for index in indices]
    groups = _inner_text_groups(own)
    wanted_s = share * sum(row.duration_s for row in own)
    has_inner_chapters = len({row.chapter for row in own}) > 2
    chosen = _whole_chapter(groups, wanted_s) if has_inner_chapters else []
    if not chosen:
        chosen = _middle_of_chapters(groups, wanted_s, max_clips=int(_MAX_CLIP_SHARE * len(own)))
    return sorted(indices[row] for group in chosen for row in group.rows)


def _number(chapter: Chapter | None) -> int:
    return (chapter[1] or 0) if chapter else 0


def _inner_text_groups(rows: Sequence[SplitRow]) -> list[_TextGroup]:
    """Texts that may be held out, in the order of their first clip: all their clips are in inner chapters."""
    by_text: dict[object, list[int]] = {}
    for index, row in enumerate(rows):
        by_text.setdefault(" ".join(row.text.split()) or index, []).append(index)
    inner = set(inner_indices(rows))
    return [
        _TextGroup(
            tuple(found), frozenset(rows[index].chapter for index in found), sum(rows[i].duration_s for i in found)
        )
        for found in by_text.values()
        if inner.issuperset(found)
    ]


def _by_chapter(groups: Sequence[_TextGroup]) -> dict[Chapter | None, list[_TextGroup]]:
    """Text groups by the chapter that they lie in; a text of several chapters is in none."""
    found: dict[Chapter | None, list[_TextGroup]] = {}
    for group in groups:
        if len(group.chapters) == 1:
            found.setdefault(next(iter(group.chapters)), []).append(group)
    return found


def _whole_chapter(groups: Sequence[_TextGroup], wanted_s: float) -> list[_TextGroup]:
    """The chapter whose length is nearest to the wanted one, if any is near."""

    def distance_s(members: Sequence[_TextGroup]) -> float:
        return abs(sum(group.duration_s for group in members) - wanted_s)

    low, high = _WHOLE_CHAPTER
    near = [
        members
        for members in _by_chapter(groups).values()
        if low * wanted_s <= sum(group.duration_s for group in members) <= high * wanted_s
        and sum(len(group.rows) for group in members) >= MIN_HELD_OUT_CLIPS
    ]
    return min(near, key=distance_s, default=[])


def _middle_of_chapters(groups: Sequence[_TextGroup], wanted_s: float, max_clips: int) -> list[_TextGroup]:
    """Consecutive texts from the middle of each chapter, about the wanted length together."""
    if not groups:
        return []
    chapters = list(_by_chapter(groups).values())
    if sum(len(members) for members in chapters) < MIN_HELD_OUT_CLIPS:
        chapters = [list(groups)]  # nearly every text is spoken in several chapters
    n_all = sum(len(members) for members in chapters)
    total_s = sum(group.duration_s for members in chapters for group in members)
    n_wanted = min(n_all, max(MIN_HELD_OUT_CLIPS, round(n_all * wanted_s / total_s)))
    chosen: list[_TextGroup] = []
    n_seen = 0
    for members in chapters:
        n_seen += len(members)
        n = round(n_wanted * n_seen / n_all) - len(chosen)
        start = (len(members) - n) // 2
        chosen += members[start : start + n]
    while sum(len(group.rows) for group in chosen) > max(max_clips, MIN_HELD_OUT_CLIPS):
        chosen.pop()
    return chosen
