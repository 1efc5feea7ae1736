"""Work units: a chapter, or about 15 minutes of a long chapter. Each is built, and resumed, as a whole.

The units depend on the containers and the parameters alone, so every attempt and any number of workers has the same
ones. The exact border between two units of a chapter depends on the audio and is found by ``speech_chunks``.
"""

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from jobs.audio.recording import RecordingInfo
from jobs.errors import UserError
from jobs.ingest_audiobook.input.source_files import SourceFiles
from jobs.ingest_audiobook.params import Params

UNIT_S = 900.0
BORDER_WITHIN_S = 30.0  # after a nominal border: the longest pause there divides two units; costs 3 % of UNIT_S


@dataclass(frozen=True)
class WorkUnit:
    """A range of a recording, in samples at the recording's own rate.

    ``chapter`` is its number in the book; None when the recording has no chapters. ``start`` and ``end`` are nominal;
    ``end`` None is the recording's end. The unit begins at the longest pause within ``seeks_start`` samples after
    ``start`` and ends at that within ``seeks_end`` samples after ``end``; 0: exactly there.
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
    """The part of the book to read. ``limit_s`` is the total length, seconds."""

    chapters: frozenset[int] | None = None
    start_s: float | None = None
    end_s: float | None = None
    limit_s: float | None = None


@dataclass(frozen=True)
class _SampleRange:
    recording: int
    chapter: int | None
    start: int
    end: int | None


def plan_work_units(
    recordings: Sequence[RecordingInfo],
    chapter_numbers: Sequence[Sequence[int]],
    selection: Selection = Selection(),
    *,
    unit_s: float = UNIT_S,
) -> list[WorkUnit]:
    """Divide the selected part of the book into units.

    ``chapter_numbers`` are those of each recording: one for a file without marks that is a chapter; none: no chapters.
    """
    units: list[WorkUnit] = []
    left_s = selection.limit_s
    for number, (info, chapters) in enumerate(zip(recordings, chapter_numbers, strict=True)):
        rate = info.sample_rate_hz
        for span in _selected_ranges(_chapter_ranges(number, info, chapters), selection, rate):
            if left_s is not None and left_s <= 0:
                return units
            if left_s is not None:
                limit = span.start + int(left_s * rate)
                if span.end is None or span.end > limit:
                    stated = _stated_end(info) if span.end is None else None
                    left_s = 0.0 if stated is None or stated >= limit else left_s - (stated - span.start) / rate
                    span = _SampleRange(span.recording, span.chapter, span.start, limit)
                else:
                    left_s -= (span.end - span.start) / rate
            units += _units_of_range(span, _stated_end(info), rate, unit_s, len(units))
    return units


def nominal_length_s(unit: WorkUnit, info: RecordingInfo) -> float:
    """Return the length of a unit by the duration that the container states, seconds; 0 when it states none."""
    end = _stated_end(info) if unit.end is None else unit.end
    return max(0.0, ((end or 0) - unit.start) / info.sample_rate_hz)


def batch_units(units: Sequence[WorkUnit], has_exact_seek: Sequence[bool]) -> list[list[WorkUnit]]:
    """Group units into batches, each decoded by one process in one pass, in order."""
    batches: list[list[WorkUnit]] = []
    for recording, group in itertools.groupby(units, key=lambda unit: unit.recording):
        of_recording = list(group)
        batches += [[unit] for unit in of_recording] if has_exact_seek[recording] else [of_recording]
    return batches


def chapter_starts(info: RecordingInfo, chapters: Collection[int]) -> list[tuple[int, int]]:
    """Return (first sample, number) of each chapter; audio before the first mark belongs to the first chapter.

    Of several marks at one place (a part's heading and its first chapter) the last one is the chapter. A mark before
    its predecessor has no length.
    """
    starts: list[tuple[int, int]] = []
    marks = [chapter.start_s for chapter in info.chapters] or [0.0]
    furthest_s = marks[0]
    for number, start_s in zip(chapters, marks, strict=bool(info.chapters)):
        if start_s < furthest_s:
            continue
        furthest_s = start_s
        sample = round(start_s * info.sample_rate_hz) if start_s > marks[0] else 0
        if starts and sample == starts[-1][0]:
            starts.pop()
        starts.append((sample, number))
    return starts


def _chapter_ranges(recording: int, info: RecordingInfo, chapters: Collection[int]) -> list[_SampleRange]:
    starts: list[tuple[int, int | None]] = [*chapter_starts(info, chapters)] or [(0, None)]
    ends = [*(start for start, _ in starts[1:]), None]
    return [_SampleRange(recording, chapter, start, end) for (start, chapter), end in zip(starts, ends, strict=True)]


def _selected_ranges(spans: Sequence[_SampleRange], selection: Selection, rate: int) -> list[_SampleRange]:
    first = int((selection.start_s or 0.0) * rate)
    last = None if selection.end_s is None else int(selection.end_s * rate)
    found = []
    for span in spans:
        if selection.chapters is not None and span.chapter not in selection.chapters:
            continue
        start = max(span.start, first)
        end = span.end if last is None else last if span.end is None else min(span.end, last)
        if end is None or start < end:
            found.append(_SampleRange(span.recording, span.chapter, start, end))
    return found


def _stated_end(info: RecordingInfo) -> int | None:
    return round(info.duration_s * info.sample_rate_hz) if info.duration_s else None


def _units_of_range(span: _SampleRange, stated_end: int | None, rate: int, unit_s: float, index: int) -> list[WorkUnit]:
    end = stated_end if span.end is None else span.end
    length = end - span.start if end is not None else 0
    n_parts = max(1, round(length / (unit_s * rate)))
    window = min(int(BORDER_WITHIN_S * rate), length // n_parts // 2)
    inner = [span.start + length * k // n_parts for k in range(1, n_parts)]
    starts, ends = [span.start, *inner], [*inner, span.end]
    return [
        WorkUnit(
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


def select_units(files: SourceFiles, params: Params) -> list[WorkUnit]:
    """Divide the selected part of the book into units.

    Raises ``UserError``: ``chapter_unknown``, ``selection_unclear``, ``selection_empty``.
    """
    n_chapters = len(files.info.chapters)
    chapters = parse_chapters(params.chapters, n_chapters) if params.chapters else None
    if len(files.recordings) > 1 and (params.start_s is not None or params.end_s is not None):
        raise UserError(
            "selection_unclear",
            f"start_s and end_s apply to one recording, but there are {len(files.recordings)}.",
            "Give chapters instead: every file is at least one chapter.",
        )
    selection = Selection(chapters, params.start_s, params.end_s, params.max_duration_s)
    units = plan_work_units([recording.info for recording in files.recordings], files.chapter_numbers, selection)
    if not units:
        raise UserError(
            "selection_empty",
            f"No part of {files.names[0]} lies within chapters={params.chapters!r}, start_s={params.start_s}, "
            f"end_s={params.end_s}.",
            "List the chapters with dry_run; a heading at the place of a chapter has no audio of its own.",
        )
    return units


def parse_chapters(text: str, n_chapters: int) -> frozenset[int]:
    """Return the chapter numbers of a text like ``"1,3-5"``. Raises ``UserError``: ``chapter_unknown``."""
    found: set[int] = set()
    for word in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", word)
        if match is None:
            raise _unknown(f"chapters={text!r} is not a list of numbers and ranges", n_chapters)
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= n_chapters:
            raise _unknown(f"chapters={text!r} names {word.strip()}", n_chapters)
        found.update(range(first, last + 1))
    return frozenset(found)


def check_chapter_numbers(numbers: Sequence[int], files: SourceFiles) -> None:
    """Check that the chapters to hold out exist. Raises ``UserError``: ``chapter_unknown``."""
    unknown = [number for number in numbers if not 1 <= number <= len(files.info.chapters)]
    if unknown:
        raise _unknown(f"validation_chapters names {unknown}", len(files.info.chapters))


def _unknown(what: str, n_chapters: int) -> UserError:
    return UserError(
        "chapter_unknown",
        f"{what}, but the recording has {n_chapters} chapters.",
        f"Give numbers from 1 to {n_chapters}, e.g. 2-5,8; dry_run lists them." if n_chapters else "Leave it out.",
    )
