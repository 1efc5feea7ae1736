"""Batches of work units, each decoded by one process in one pass."""

from __future__ import annotations

from jobs.audio.recording import RecordingInfo
from jobs.ingest_audiobook.input.work_units import batch_units, nominal_length_s, plan_work_units


def info(duration_s: float | None) -> RecordingInfo:
    return RecordingInfo(None, None, (), duration_s, 24_000, False)


def test_units_are_batches_of_their_own_only_where_decoding_can_start_anywhere() -> None:
    units = plan_work_units([info(1_800.0), info(1_800.0)], [[], []])

    batches = batch_units(units, [True, False])

    assert [[unit.index for unit in batch] for batch in batches] == [[0], [1], [2, 3]]


def test_a_unit_of_a_recording_of_unknown_length_has_no_nominal_length() -> None:
    (unit,) = plan_work_units([info(None)], [[]])

    assert nominal_length_s(unit, info(None)) == 0.0
