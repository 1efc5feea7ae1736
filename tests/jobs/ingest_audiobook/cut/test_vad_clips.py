"""Clips with the text of Whisper: kept, or rejected with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from jobs.asr.transcript import TranscribedSegment
from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import ClipCandidate
from jobs.ingest_audiobook.text.text_sources import transcribe_candidates

SURE = TranscribedSegment(0.0, 2.0, "a crow was thirsty", -0.2, 0.01, 1.1)


class Says:
    """Says the same of every run."""

    def __init__(self, *segments: list[TranscribedSegment]) -> None:
        self.segments = segments
        self.calls: list[Sequence[tuple[float, float]]] = []

    def transcribe_spans(
        self, samples_16k: npt.NDArray[np.float32], spans_s: Sequence[tuple[float, float]], language: str | None = None
    ) -> list[list[TranscribedSegment]]:
        """Remember the spans."""
        self.calls.append(spans_s)
        return list(self.segments)


def test_all_clips_of_a_chunk_are_transcribed_in_one_call_and_judged_one_by_one() -> None:
    candidates = [ClipCandidate(Span(3.0 * k, 3.0 * k + 2), "") for k in range(3)]
    whisper = Says([SURE, replace(SURE, text="and drank")], [], [replace(SURE, mean_log_probability=-1.5)])

    kept, rejected = transcribe_candidates(candidates, np.zeros(9 * 16_000, np.float32), whisper, "english")

    assert whisper.calls == [[(0.0, 2.0), (3.0, 5.0), (6.0, 8.0)]]
    assert [(candidate.span.start_s, candidate.text) for candidate in kept] == [(0.0, "a crow was thirsty and drank")]
    assert [(span.span.start_s, span.reason) for span in rejected] == [
        (3.0, "no_transcript"),
        (6.0, "low_confidence"),
    ]
