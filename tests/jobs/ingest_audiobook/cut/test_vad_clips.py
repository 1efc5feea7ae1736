"""Clips with what a Whisper says of each: kept with their text, or refused with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from jobs.asr.whisper import TranscribedSegment
from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import Piece
from jobs.ingest_audiobook.cut.vad_clips import transcribed

SURE = TranscribedSegment(0.0, 2.0, "a crow was thirsty", -0.2, 0.01, 1.1)


class Says:
    """Says the same of every run."""

    def __init__(self, *heard: list[TranscribedSegment]) -> None:
        self.heard = heard
        self.calls: list[Sequence[tuple[float, float]]] = []

    def transcribe_spans(
        self, samples_16k: npt.NDArray[np.float32], spans_s: Sequence[tuple[float, float]], language: str | None = None
    ) -> list[list[TranscribedSegment]]:
        """Remember the spans."""
        self.calls.append(spans_s)
        return list(self.heard)


def test_all_clips_of_a_stretch_are_heard_in_one_call_and_each_has_its_own_fate() -> None:
    pieces = [Piece(Span(3.0 * k, 3.0 * k + 2), "") for k in range(3)]
    whisper = Says([SURE, replace(SURE, text="and drank")], [], [replace(SURE, mean_log_probability=-1.5)])

    kept, refused = transcribed(pieces, np.zeros(9 * 16_000, np.float32), whisper, "english")

    assert whisper.calls == [[(0.0, 2.0), (3.0, 5.0), (6.0, 8.0)]]
    assert [(piece.span.start_s, piece.text) for piece in kept] == [(0.0, "a crow was thirsty and drank")]
    assert [(refusal.span.start_s, refusal.reason) for refusal in refused] == [
        (3.0, "no_transcript"),
        (6.0, "low_confidence"),
    ]
