"""Selection of the part of a book to ingest: chapters by number, or a time range of one recording."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jobs.errors import UserError
from jobs.ingest_audiobook.input.source_files import SourceFiles
from jobs.ingest_audiobook.input.work_units import Selection, WorkUnit, plan_work_units
from jobs.ingest_audiobook.params import Params


def select_units(files: SourceFiles, params: Params) -> list[WorkUnit]:
    """Divide the selected part of the book into units.

    Raises:
        UserError: ``chapter_unknown``, ``selection_unclear``, ``selection_empty``.
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
            "List the chapters with dry_run.",
        )
    return units


def parse_chapters(text: str, n_chapters: int) -> frozenset[int]:
    """Return the chapter numbers of a text like ``"1,3-5"``.

    Raises:
        UserError: ``chapter_unknown``.
    """
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
    """Check that the chapters to hold out exist.

    Raises:
        UserError: ``chapter_unknown``.
    """
    unknown = [number for number in numbers if not 1 <= number <= len(files.info.chapters)]
    if unknown:
        raise _unknown(f"validation_chapters names {unknown}", len(files.info.chapters))


def _unknown(what: str, n_chapters: int) -> UserError:
    return UserError(
        "chapter_unknown",
        f"{what}, but the recording has {n_chapters} chapters.",
        f"Give numbers from 1 to {n_chapters}, e.g. 2-5,8; dry_run lists them." if n_chapters else "Leave it out.",
    )
