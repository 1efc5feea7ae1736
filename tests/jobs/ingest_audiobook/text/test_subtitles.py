"""Segments that exist already: what is wrong with a line is said, what cannot be kept is rejected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jobs.errors import UserError
from jobs.ingest_audiobook.cut.clip_candidates import ClipLimits
from jobs.ingest_audiobook.text.segment_clips import segment_candidates
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

    candidates, rejected = segment_candidates(read_segments(path), 0.0, 30.0, SILENCE, LIMITS)

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

    candidates, rejected = segment_candidates(read_segments(path), 0.0, 10.0, SILENCE, LIMITS)

    assert [(candidate.text, candidate.span.start_s, candidate.span.end_s) for candidate in candidates] == [
        ("Go home.", 1.0, 4.0)
    ]
    assert [(span.reason, span.text) for span in rejected] == [("too_short", "Now.")]


def test_an_end_in_speech_is_marked_as_a_cut(tmp_path: Path) -> None:
    speech = np.zeros(400, np.float32)
    speech[int(3 / 0.032) : int(6 / 0.032)] = 0.9
    path = segments(tmp_path, '{"start": 1, "end": 4, "text": "cut"}')

    candidates, _ = segment_candidates(read_segments(path), 0.0, 10.0, speech, LIMITS)

    assert (candidates[0].span.cut_start, candidates[0].span.cut_end) == (False, True)


@pytest.mark.parametrize(
    "content", [" \n \n" * 1_500_000, "WEBVTT\n\n" + "00:00.000 --> 00:01.000\na\n\n" * 210_000, "x" * 8_000_001]
)
def test_more_than_subtitles_have_is_refused_within_limits(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.vtt").write_text(content)

    with within_limits(), pytest.raises(UserError):
        read_subtitles(tmp_path / "a.vtt")
