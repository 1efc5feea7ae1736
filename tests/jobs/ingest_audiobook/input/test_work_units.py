"""Batches of work units, each decoded by one process in one pass."""

from __future__ import annotations

import pytest

from jobs.audio.recording import Chapter, RecordingInfo
from jobs.ingest_audiobook.input.work_units import Selection, batch_units, nominal_length_s, plan_work_units


def info(duration_s: float | None) -> RecordingInfo:
    return RecordingInfo(None, None, (), duration_s, 24_000, False)


def test_units_are_batches_of_their_own_only_where_decoding_can_start_anywhere() -> None:
    units = plan_work_units([info(1_800.0), info(1_800.0)], [[], []])

    batches = batch_units(units, [True, False])

    assert [[unit.index for unit in batch] for batch in batches] == [[0], [1], [2, 3]]


def test_a_unit_of_a_recording_of_unknown_length_has_no_nominal_length() -> None:
    (unit,) = plan_work_units([info(None)], [[]])

    assert nominal_length_s(unit, info(None)) == 0.0


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([(0, 0), (0, 60), (60, 60), (60, 100)], [(2, 0), (4, 60)]),  # headings without length
        ([(0, 100), (0, 60), (60, 100)], [(2, 0), (3, 60)]),  # a part around its chapters
        ([(5, 5), (5, 60), (60, 100)], [(2, 0), (3, 60)]),  # audio before the first mark
        ([(0, 60), (60, 100)], [(1, 0), (2, 60)]),
    ],
)
def test_the_last_mark_of_a_place_is_the_chapter(marks: list[tuple[int, int]], expected: list[tuple[int, int]]) -> None:
    chapters = tuple(Chapter(f"Mark {number}", start, end) for number, (start, end) in enumerate(marks, 1))
    about = RecordingInfo(None, None, chapters, 100.0, 24_000, False)
    numbers = range(1, len(marks) + 1)

    units = plan_work_units([about], [numbers])
    chosen = plan_work_units([about], [numbers], Selection(frozenset({expected[-1][0]})))

    assert [(unit.chapter, unit.start) for unit in units] == [(number, start * 24_000) for number, start in expected]
    assert [unit.start for unit in chosen] == [60 * 24_000]
