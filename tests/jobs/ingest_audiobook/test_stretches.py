"""A long recording in parts: no sample twice, none lost, no part across a chapter's border."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jobs.ingest_audiobook.stretches import Place, stretches, to_24k
from jobs.speech.audio import Chapter, RecordingInfo, write_clip
from jobs.speech.segments import Span

RATE = 22_050


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """40.5 s of noise that stops from 17.6 to 18.4 s and from 36 to 37 s."""
    samples = 0.1 * np.random.default_rng(0).standard_normal(int(40.5 * RATE)).astype(np.float32)
    samples[int(17.6 * RATE) : int(18.4 * RATE)] = 0
    samples[36 * RATE : 37 * RATE] = 0
    write_clip(tmp_path / "book.wav", samples, RATE)
    return tmp_path / "book.wav"


def info(*starts_s: float) -> RecordingInfo:
    chapters = tuple(Chapter(f"Chapter {n}", start, 0.0) for n, start in enumerate(starts_s, 1))
    return RecordingInfo(None, None, chapters, 40.5, RATE, False)


def test_stretches_tile_the_recording_at_both_rates(recording: Path) -> None:
    parts = list(stretches(recording, info(0.0, 12.3, 30.0), Place(), max_stretch_s=10))

    starts = [part.start_sample for part in parts]
    ends = [part.end_sample for part in parts]
    assert starts == [0, *ends[:-1]]
    assert ends[-1] == int(40.5 * RATE)
    assert [part.start_24k for part in parts] == [to_24k(start, RATE) for start in starts]
    assert [part.start_24k + len(part.audio_24k) for part in parts] == [to_24k(end, RATE) for end in ends]
    assert all(part.duration_s <= 10.001 for part in parts)


def test_no_stretch_crosses_a_chapters_border(recording: Path) -> None:
    parts = list(stretches(recording, info(0.0, 12.3, 30.0), Place(), max_stretch_s=100))

    assert [(part.chapter, round(part.start_s, 1)) for part in parts] == [(1, 0.0), (2, 12.3), (3, 30.0)]


def test_a_recording_without_chapters_is_one(recording: Path) -> None:
    parts = list(stretches(recording, info(), Place(), max_stretch_s=100))

    assert [(part.chapter, part.start_sample, part.end_sample) for part in parts] == [(None, 0, int(40.5 * RATE))]


def test_a_chapter_mark_that_does_not_advance_names_nothing(recording: Path) -> None:
    parts = list(stretches(recording, info(0.5, 0.0, 20.0), Place(), max_stretch_s=100))

    assert [(part.chapter, round(part.start_s)) for part in parts] == [(1, 0), (3, 20)]


def test_starting_at_a_later_place_gives_the_same_samples(recording: Path) -> None:
    marks = info(0.0, 25.0)
    whole = list(stretches(recording, marks, Place(), max_stretch_s=10))

    rest = list(stretches(recording, marks, Place(2, whole[1].end_sample), max_stretch_s=10))

    assert [part.index for part in rest] == [part.index for part in whole[2:]]
    assert all(np.array_equal(a.audio_24k, b.audio_24k) for a, b in zip(rest, whole[2:], strict=True))
    assert all(np.array_equal(a.probabilities, b.probabilities) for a, b in zip(rest, whole[2:], strict=True))


def test_a_trial_stops_at_its_limit_to_the_sample(recording: Path) -> None:
    parts = list(stretches(recording, info(0.0), Place(), limit_s=7.5))

    assert [part.end_sample for part in parts] == [int(7.5 * RATE)]


def test_no_given_span_is_cut_by_a_long_stretchs_end(recording: Path) -> None:
    keep = [Span(start, start + 1.9) for start in np.arange(0, 40, 2.0)]

    parts = list(stretches(recording, info(0.0), Place(), max_stretch_s=11, keep_whole=keep))

    assert len(parts) > 3
    for part in parts[1:]:
        assert not any(span.start_s < part.start_s < span.end_s for span in keep)
