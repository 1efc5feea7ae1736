"""Segments that exist already: what is wrong with a line is said, what cannot be kept is rejected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jobs.audio.vad_segments import FRAME_S
from jobs.errors import UserError
from jobs.ingest_audiobook.cut.clip_candidates import ClipLimits
from jobs.ingest_audiobook.text.segment_clips import place_segments, segment_candidates
from jobs.ingest_audiobook.text.subtitles import read_segments, read_subtitles
from tests.support.hostile.limits import within_limits

LIMITS = ClipLimits(min_s=1.5, target_s=2.0, max_s=10.0, max_gap_s=0.5)
SILENCE = np.zeros(2000, np.float32)


def segments(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "segments.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{start: 1}", "line 2"),
        ('{"start": 1, "text": "a"}', "'end'"),
        ('{"start": "one", "end": 2, "text": "a"}', "'one'"),
        ('{"start": 1, "end": NaN, "text": "a"}', "nan"),
        ('{"start": 1, "end": 2, "text": 3}', "text is not a string"),
        ("[1, 2]", "line 2"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, line: str, why: str) -> None:
    path = segments(tmp_path, '{"start": 0, "end": 1, "text": "fine"}', line)

    with pytest.raises(UserError) as caught:
        read_segments(path)

    assert caught.value.code == "segments_unreadable"
    assert "line 2" in caught.value.message
    assert why in caught.value.message


def test_a_file_without_segments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_segments(segments(tmp_path, ""))

    assert caught.value.code == "segments_empty"


def test_overlapping_backward_empty_and_too_long_segments_are_rejected_with_reasons(tmp_path: Path) -> None:
    path = segments(
        tmp_path,
        '{"start": 1, "end": 4, "text": "one"}',
        '{"start": 3, "end": 6, "text": "overlaps"}',
        '{"start": 8, "end": 7, "text": "backwards"}',
        '{"start": 9, "end": 12, "text": " "}',
        '{"start": 13, "end": 25, "text": "long"}',
        '{"start": 28, "end": 31, "text": "over the end"}',
        '{"start": 40, "end": 42, "text": "later"}',
    )

    candidates, rejected = segment_candidates(place_segments(read_segments(path), 0.0, 30.0, SILENCE), 30.0, LIMITS)

    assert [candidate.text for candidate in candidates] == ["one"]
    assert sorted(span.reason for span in rejected) == [
        "segment_backwards", "segment_crosses_end", "segment_overlaps", "segment_without_text", "too_long",
    ]  # fmt: skip


def test_near_short_segments_are_merged_and_lone_ones_refused(tmp_path: Path) -> None:
    path = segments(
        tmp_path,
        '{"start": 1, "end": 2, "text": "Go"}',
        '{"start": 2.3, "end": 4, "text": "home."}',
        '{"start": 6, "end": 7, "text": "Now."}',
    )

    candidates, rejected = segment_candidates(place_segments(read_segments(path), 0.0, 10.0, SILENCE), 10.0, LIMITS)

    assert [(candidate.text, candidate.span.start_s, candidate.span.end_s) for candidate in candidates] == [
        ("Go home.", 1.0, 4.0)
    ]
    assert [(span.reason, span.text) for span in rejected] == [("too_short", "Now.")]


def test_segments_that_overlap_by_a_millisecond_are_trimmed(tmp_path: Path) -> None:
    path = segments(
        tmp_path, '{"start": 1, "end": 4.001, "text": "one"}', '{"start": 4, "end": 8, "text": "two"}',
        '{"start": 7.999, "end": 12, "text": "three"}',
    )  # fmt: skip

    placed = place_segments(read_segments(path), 0.0, 30.0, SILENCE)

    assert [(one.span.start_s, one.span.end_s, one.reason) for one in placed] == [
        (1, 4.001, None), (4.001, 8, None), (8, 12, None),
    ]  # fmt: skip


RUNS = [(1.0, 3.0), (3.6, 6.0), (6.4, 9.0), (9.2, 14.0), (14.6, 16.0), (16.5, 19.0), (19.4, 23.0), (23.5, 26.0)]


def spoken(seconds: float = 30.0) -> np.ndarray:
    """Probabilities of speech in ``RUNS``."""
    found = np.zeros(round(seconds / FRAME_S), np.float32)
    for start_s, end_s in RUNS:
        found[round(start_s / FRAME_S) : round(end_s / FRAME_S)] = 0.9
    return found


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [
        (0.9, 3.1, (0.9, 3.1)),
        (1.2, 2.7, (0.9, 3.1)),  # a cut first and last word: widened to the pauses
        (2.9, 6.2, (3.5, 6.2)),  # the end of a word of the run before: left out
        (3.5, 6.5, (3.5, 6.1)),  # the start of a word of the next run: left out
        (6.3, 9.35, (6.3, 9.1)),
        (6.3, 11.5, None),  # more than half a second from any pause
        (11.5, 14.2, None),
    ],
)
def test_a_border_in_speech_is_moved_to_the_nearest_pause_or_the_segment_is_refused(
    tmp_path: Path, start_s: float, end_s: float, expected: tuple[float, float] | None
) -> None:
    path = segments(tmp_path, f'{{"start": {start_s}, "end": {end_s}, "text": "words"}}')

    (placed,) = place_segments(read_segments(path), 0.0, 30.0, spoken())

    assert placed.reason == (None if expected else "border_in_speech")
    if expected:
        assert (placed.span.start_s, placed.span.end_s) == pytest.approx(expected, abs=FRAME_S)


@pytest.mark.parametrize("late_s", [-0.75, -0.3, 0.25, 0.5, 1.25])
def test_a_constant_offset_of_all_segments_is_taken_off(tmp_path: Path, late_s: float) -> None:
    lines = [
        f'{{"start": {start_s - 0.05 + late_s}, "end": {end_s + 0.05 + late_s}, "text": "words"}}'
        for start_s, end_s in RUNS
    ]

    placed = place_segments(read_segments(segments(tmp_path, *lines)), 0.0, 30.0, spoken())

    assert [one.reason for one in placed] == [None] * len(RUNS)
    for one, (start_s, end_s) in zip(placed, RUNS, strict=True):
        assert one.span.start_s <= start_s + FRAME_S
        assert one.span.end_s >= end_s - FRAME_S


def test_segments_with_errors_of_their_own_are_not_moved_together(tmp_path: Path) -> None:
    errors = [0.3, -0.3, 0.2, -0.2, 0.35, -0.35, 0.25, -0.25]
    lines = [
        f'{{"start": {start_s + error}, "end": {end_s - error}, "text": "words"}}'
        for (start_s, end_s), error in zip(RUNS, errors, strict=True)
    ]

    placed = place_segments(read_segments(segments(tmp_path, *lines)), 0.0, 30.0, spoken())

    assert [one.reason for one in placed] == [None] * len(RUNS)
    assert all(abs(one.span.start_s - start_s) <= 0.36 for one, (start_s, _) in zip(placed, RUNS, strict=True))


@pytest.mark.parametrize(
    "content", [" \n \n" * 1_500_000, "WEBVTT\n\n" + "00:00.000 --> 00:01.000\na\n\n" * 210_000, "x" * 8_000_001]
)
def test_more_than_subtitles_have_is_refused_within_limits(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.vtt").write_text(content)

    with within_limits(), pytest.raises(UserError):
        read_subtitles(tmp_path / "a.vtt")
