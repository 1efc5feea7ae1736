"""A long recording in parts: no sample twice, none lost, no part across a chapter's border."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from jobs.audio.clip_io import write_clip
from jobs.audio.recording import Chapter, Recording, RecordingInfo
from jobs.audio.vad_segments import SPEECH_OFF, Span
from jobs.ingest_audiobook.input.speech_chunks import SpeechChunk, UnitEnd, longest_pause, read_speech_chunks, to_24k
from jobs.ingest_audiobook.input.work_units import Selection, WorkUnit, plan_work_units
from jobs.settings import PROJECT_ROOT

RATE = 22_050


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """40.5 s of noise that stops from 17.6 to 18.4 s and from 36 to 37 s."""
    samples = 0.1 * np.random.default_rng(0).standard_normal(int(40.5 * RATE)).astype(np.float32)
    samples[int(17.6 * RATE) : int(18.4 * RATE)] = 0
    samples[36 * RATE : 37 * RATE] = 0
    write_clip(tmp_path / "book.wav", samples, RATE)
    return Recording(tmp_path / "book.wav")


def units(*starts_s: float, unit_s: float = 900, limit_s: float | None = None) -> list[WorkUnit]:
    chapters = tuple(Chapter(f"Chapter {n}", start, 0.0) for n, start in enumerate(starts_s, 1))
    info = RecordingInfo(None, None, chapters, 40.5, RATE, False)
    return plan_work_units([info], [range(1, len(chapters) + 1)], Selection(limit_s=limit_s), unit_s=unit_s)


def parts_of(recording: Recording, wanted: list[WorkUnit], **more: object) -> list[SpeechChunk]:
    return [part for _, part in read_speech_chunks(recording, wanted, **more) if isinstance(part, SpeechChunk)]


def test_chunks_cover_the_recording_once_at_both_rates(recording: Recording) -> None:
    parts = parts_of(recording, units(0.0, 12.3, 30.0), max_chunk_s=10)

    starts = [part.start_24k for part in parts]
    ends = [part.end_24k for part in parts]
    assert starts == [0, *ends[:-1]]
    assert ends[-1] == to_24k(int(40.5 * RATE), RATE)
    assert all(part.duration_s <= 10.001 for part in parts)
    assert all(len(part.audio_16k) == pytest.approx(len(part.audio_24k) * 2 / 3, abs=2) for part in parts)
    assert all(len(part.probabilities) == -(-len(part.audio_24k) // 768) for part in parts)


def test_no_chunk_crosses_a_chapters_border(recording: Recording) -> None:
    parts = parts_of(recording, units(0.0, 12.3, 30.0))

    assert [(part.chapter, round(part.start_s, 1)) for part in parts] == [(1, 0.0), (2, 12.3), (3, 30.0)]


def test_a_recording_without_chapters_is_one(recording: Recording) -> None:
    parts = parts_of(recording, units())

    end_24k = to_24k(int(40.5 * RATE), RATE)
    assert [(part.chapter, part.start_24k, part.end_24k) for part in parts] == [(None, 0, end_24k)]


def test_a_chapter_mark_that_does_not_advance_names_nothing(recording: Recording) -> None:
    parts = parts_of(recording, units(0.5, 0.0, 20.0))

    assert [(part.chapter, round(part.start_s)) for part in parts] == [(1, 0), (3, 20)]


@pytest.mark.parametrize("later", [1, 2, 3])
def test_starting_at_a_later_unit_gives_the_same_samples(recording: Recording, later: int) -> None:
    wanted = units(0.0, 25.0, unit_s=9)
    whole = list(read_speech_chunks(recording, wanted, max_chunk_s=6))

    rest = list(read_speech_chunks(recording, wanted[later:], max_chunk_s=6))

    expected = [(unit, part) for unit, part in whole if unit.index >= later]
    assert len(wanted) == 5
    assert [unit for unit, _ in rest] == [unit for unit, _ in expected]
    for (_, part), (_, known) in zip(rest, expected, strict=True):
        if isinstance(part, UnitEnd) or isinstance(known, UnitEnd):
            assert part == known
        else:
            assert part.start_24k == known.start_24k
            assert np.array_equal(part.audio_24k, known.audio_24k)
            assert np.array_equal(part.probabilities, known.probabilities)


def test_a_long_recording_is_divided_in_its_pauses() -> None:
    book = Recording(PROJECT_ROOT / "samples" / "fables.m4b")
    wanted = plan_work_units([book.info], [[1, 2]], unit_s=10)

    parts = parts_of(book, wanted)

    assert len(wanted) == 7
    assert all(part.probabilities[0] < SPEECH_OFF for part in parts)
    assert all(part.probabilities[-1] < SPEECH_OFF for part in parts)
    assert all(here.end_24k == after.start_24k for here, after in itertools.pairwise(parts))


def test_a_trial_stops_at_its_limit_to_the_sample(recording: Recording) -> None:
    parts = parts_of(recording, units(0.0, limit_s=7.5))

    assert [part.end_24k for part in parts] == [int(7.5 * 24_000)]


def test_no_given_span_is_cut_by_a_long_chunks_end(recording: Recording) -> None:
    keep = [Span(start, start + 1.9) for start in np.arange(0, 40, 2.0)]

    parts = parts_of(recording, units(0.0), max_chunk_s=11, keep_whole=keep)

    assert len(parts) > 3
    for part in parts[1:]:
        assert not any(span.start_s < part.start_s < span.end_s for span in keep)


def test_units_after_the_recordings_end_are_empty(recording: Recording) -> None:
    info = RecordingInfo(None, None, (), 360_000.0, RATE, False)  # a header that promises 100 hours

    ends = [
        part for _, part in read_speech_chunks(recording, plan_work_units([info], [[]])) if isinstance(part, UnitEnd)
    ]

    assert len(ends) == 400
    assert all(end.is_recording_end for end in ends)


def test_the_longest_pause_of_a_stretch_is_found_in_its_middle() -> None:
    probabilities = np.repeat(np.float32([0.9, 0.1, 0.9, 0.1, 0.9]), [10, 3, 10, 9, 10])

    assert longest_pause(probabilities, 0, 42) == pytest.approx(27, abs=1)
