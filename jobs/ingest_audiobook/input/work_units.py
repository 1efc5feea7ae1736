"""What is done, killed and continued as one: a chapter, or a quarter of an hour of a long one.

A function of the containers and the parameters alone, so that every attempt and any number of workers has the same
units. Pure. Where exactly a long chapter is divided is decided by its sound (``stretches``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from jobs.audio.recording import RecordingInfo

UNIT_S = 900.0
BORDER_WITHIN_S = 30.0  # after a nominal border: the longest pause there divides two units; costs 3 % of UNIT_S


@dataclass(frozen=True)
class Unit:
    """A stretch of a recording, samples at its own rate.

    Attributes:
        index: in the book.
        recording: which file.
        chapter: number in the book; None when the recording has no chapters.
        end: None is the recording's end, wherever that is.
        seeks_start: it begins at the longest pause within so many samples from ``start``; 0: at ``start``.
        seeks_end: it ends at the longest pause within so many samples from ``end``; 0: at ``end``.
    """

    index: int
    recording: int
    chapter: int | None
    start: int
    end: int | None
    seeks_start: int = 0
    seeks_end: int = 0


@dataclass(frozen=True)
class Selection:
    """What of the book is read. ``limit_s`` is the length of all of it, seconds."""

    chapters: frozenset[int] | None = None
    start_s: float | None = None
    end_s: float | None = None
    limit_s: float | None = None


@dataclass(frozen=True)
class _Span:
    recording: int
    chapter: int | None
    start: int
    end: int | None


def plan_units(
    recordings: Sequence[RecordingInfo],
    chapter_numbers: Sequence[Sequence[int]],
    selection: Selection = Selection(),
    *,
    unit_s: float = UNIT_S,
) -> list[Unit]:
    """Divide what was selected into units.

    Args:
        recordings: in order.
        chapter_numbers: the numbers in the book of each recording's chapters; one number without marks: a file that
            is a chapter; none: a recording without chapters.
        selection: what is read.
        unit_s: longest unit, about, seconds.
    """
    units: list[Unit] = []
    left_s = selection.limit_s
    for number, (info, chapters) in enumerate(zip(recordings, chapter_numbers, strict=True)):
        rate = info.sample_rate_hz
        for span in _within(_spans(number, info, chapters), selection, rate):
            if left_s is not None and left_s <= 0:
                return units
            if left_s is not None:
                limit = span.start + int(left_s * rate)
                if span.end is None or span.end > limit:
                    claimed = _claimed_end(info) if span.end is None else None
                    left_s = 0.0 if claimed is None or claimed >= limit else left_s - (claimed - span.start) / rate
                    span = _Span(span.recording, span.chapter, span.start, limit)
                else:
                    left_s -= (span.end - span.start) / rate
            units += _parts(span, _claimed_end(info), rate, unit_s, len(units))
    return units


def length_s(unit: Unit, info: RecordingInfo) -> float:
    """Seconds of a unit, as far as the container's claim tells."""
    end = _claimed_end(info) if unit.end is None else unit.end
    return max(0.0, ((end or 0) - unit.start) / info.sample_rate_hz)


def borders(info: RecordingInfo, chapters: Collection[int]) -> list[tuple[int, int]]:
    """(first sample, number) of each chapter; what lies before the first belongs to it."""
    starts: list[tuple[int, int]] = []
    marks = [chapter.start_s for chapter in info.chapters] or [0.0]
    for place, (number, start_s) in enumerate(zip(chapters, marks, strict=bool(info.chapters))):
        sample = round(start_s * info.sample_rate_hz) if place else 0
        if not starts or sample > starts[-1][0]:  # a mark that does not advance names nothing
            starts.append((sample, number))
    return starts


def _spans(recording: int, info: RecordingInfo, chapters: Collection[int]) -> list[_Span]:
    starts: list[tuple[int, int | None]] = [*borders(info, chapters)] or [(0, None)]
    ends = [*(start for start, _ in starts[1:]), None]
    return [_Span(recording, chapter, start, end) for (start, chapter), end in zip(starts, ends, strict=True)]


def _within(spans: Sequence[_Span], selection: Selection, rate: int) -> list[_Span]:
    first = int((selection.start_s or 0.0) * rate)
    last = None if selection.end_s is None else int(selection.end_s * rate)
    found = []
    for span in spans:
        if selection.chapters is not None and span.chapter not in selection.chapters:
            continue
        start = max(span.start, first)
        end = span.end if last is None else last if span.end is None else min(span.end, last)
        if end is None or start < end:
            found.append(_Span(span.recording, span.chapter, start, end))
    return found


def _claimed_end(info: RecordingInfo) -> int | None:
    return round(info.duration_s * info.sample_rate_hz) if info.duration_s else None


def _parts(span: _Span, claimed_end: int | None, rate: int, unit_s: float, index: int) -> list[Unit]:
    end = claimed_end if span.end is None else span.end
    length = end - span.start if end is not None else 0
    n_parts = max(1, round(length / (unit_s * rate)))
    window = min(int(BORDER_WITHIN_S * rate), length // n_parts // 2)
    inner = [span.start + length * k // n_parts for k in range(1, n_parts)]
    starts, ends = [span.start, *inner], [*inner, span.end]
    return [
        Unit(
            index + k,
            span.recording,
            span.chapter,
            start,
            stop,
            seeks_start=window if k > 0 else 0,
            seeks_end=window if k < n_parts - 1 else 0,
        )
        for k, (start, stop) in enumerate(zip(starts, ends, strict=True))
    ]
