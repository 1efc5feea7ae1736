"""A chapter's mark within a word: no clip has that word's half."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.audio.clip_io import read_clip
from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import ClipCandidate
from jobs.ingest_audiobook.cut.clip_filters import reject_cut_words, usable_span
from jobs.ingest_audiobook.input.speech_chunks import SpeechChunk
from jobs.ingest_audiobook.input.work_units import WorkUnit
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.work import make_clips
from jobs.settings import PROJECT_ROOT
from tests.support.repeated_recording import played_over

RATE = 24_000
CANDIDATES = [
    ClipCandidate(Span(0.05, 2.0), "first"),
    ClipCandidate(Span(2.1, 4.0), "second"),
    ClipCandidate(Span(4.1, 6.0), "third"),
]
CHAPTER = WorkUnit(1, 0, 2, start=9 * RATE, end=15 * RATE)  # 9 to 15 s


def test_a_mark_within_a_word_leaves_no_half_of_it(tmp_path: Path, make_context: Callable[[], Any]) -> None:
    sample = PROJECT_ROOT / "samples" / "fables.m4b"
    samples = read_clip(sample, RATE)
    loudness = np.square(samples[2 * RATE : 3 * RATE]).reshape(50, -1).mean(1)
    mark_s = round(2.01 + int(np.argmax(loudness)) / 50, 2)  # the loudest 20 ms of the third second, within a sentence
    played_over(sample, 2 * mark_s, tmp_path / "book.m4b", chapter_s=mark_s)
    params = Params(
        audio=str(tmp_path / "book.m4b"),
        voice="slt",
        out_dir=str(tmp_path / "slt"),
        transcript="none",
        max_duration_s=20,
        min_clip_s=0.3,
        target_clip_s=0.5,
    )

    records = list(make_clips(params, make_context()).state.finished())

    spans = [(clip.source.start_s, clip.source.end_s) for record in records for clip in record.clips if clip.source]
    cut = [row.source for record in records for row in record.rejections if row.reason == "cut_in_speech"]
    assert spans
    assert not [span for span in spans if span[0] <= mark_s <= span[1]]
    assert mark_s in {round(source.end_s, 2) for source in cut}
    assert mark_s in {round(source.start_s, 2) for source in cut}


@pytest.mark.parametrize(
    ("unit", "spoken_frames", "rejected"),
    [
        (CHAPTER, [0, 1], ["first"]),
        (CHAPTER, [186], ["third"]),
        (CHAPTER, [3, 187], ["first", "third"]),
        (CHAPTER, [8, 180], []),  # pauses at both marks
        (WorkUnit(0, 0, 1, start=0, end=None), [0, 187], []),  # the recording's own ends
        (WorkUnit(1, 0, 1, start=9 * RATE, end=15 * RATE, seeks_start=RATE, seeks_end=RATE), [0, 187], []),
    ],
)
def test_candidates_at_a_mark_in_speech_are_rejected(
    unit: WorkUnit, spoken_frames: list[int], rejected: list[str]
) -> None:
    probabilities = np.zeros(188, np.float32)  # of 32 ms
    probabilities[spoken_frames] = 0.9
    chunk = SpeechChunk(2, unit.start, np.zeros(6 * RATE, np.float32), np.zeros(6 * 16_000, np.float32), probabilities)

    kept, gone = reject_cut_words(CANDIDATES, usable_span(chunk, unit, RATE))

    assert [one.text for one in gone] == rejected
    assert {one.reason for one in gone} <= {"cut_in_speech"}
    assert [candidate.text for candidate in kept] == [
        candidate.text for candidate in CANDIDATES if candidate.text not in rejected
    ]
