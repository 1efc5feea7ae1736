"""Clip candidates cut at pauses without a text, and their transcription by Whisper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from jobs.asr.transcript import TranscribedSegment
from jobs.audio.recording import Samples
from jobs.audio.vad_segments import merged, padded, speech_spans
from jobs.ingest_audiobook.cut.clip_candidates import (
    ClipCandidate,
    ClipLimits,
    RejectedSpan,
    joined_span,
    reject_by_length,
)


class SpeechToText(Protocol):
    """The part of ``jobs.asr.whisper.Transcriber`` that an ingest uses."""

    def transcribe_spans(
        self, samples_16k: npt.NDArray[np.float32], spans_s: Sequence[tuple[float, float]], language: str | None = None
    ) -> list[list[TranscribedSegment]]:
        """Return for each span (seconds) its segments with text, times from the span's start."""
        ...


def speech_candidates(
    probabilities: Samples, duration_s: float, limits: ClipLimits
) -> tuple[list[ClipCandidate], list[RejectedSpan]]:
    """Make candidates of speech with an empty text: cut at pauses, padded, merged, of allowed length."""
    spans = padded(speech_spans(probabilities, max_span_s=limits.max_s - 2 * limits.pad_s), duration_s, limits.pad_s)
    groups = merged(spans, target_s=limits.target_s, max_s=limits.max_s, max_gap_s=limits.max_gap_s)
    candidates = [ClipCandidate(joined_span([spans[k] for k in group]), "") for group in groups]
    return reject_by_length(candidates, limits)


def transcribe_candidates(
    candidates: Sequence[ClipCandidate], audio_16k: Samples, whisper: SpeechToText, language: str | None
) -> tuple[list[ClipCandidate], list[RejectedSpan]]:
    """Transcribe each candidate on its own, so that a text never depends on Whisper's times.

    Loops, words invented in silence and text of low confidence are rejected.
    """
    kept: list[ClipCandidate] = []
    rejected: list[RejectedSpan] = []
    spans = [(candidate.span.start_s, candidate.span.end_s) for candidate in candidates]
    for candidate, segments in zip(candidates, whisper.transcribe_spans(audio_16k, spans, language), strict=True):
        text = " ".join(segment.text for segment in segments)
        doubts = [doubt for segment in segments if (doubt := segment.doubt()) is not None]
        if doubts:
            rejected.append(RejectedSpan(candidate.span, doubts[0], _figures(segments), text))
        elif not text:
            rejected.append(RejectedSpan(candidate.span, "no_transcript", "Whisper recognised no words"))
        else:
            kept.append(ClipCandidate(candidate.span, text))
    return kept, rejected


def _figures(segments: Sequence[TranscribedSegment]) -> str:
    lowest = min(segment.mean_log_probability for segment in segments)
    highest = max(segment.compression_ratio for segment in segments)
    return f"mean log probability {lowest:.2f}, compression ratio {highest:.1f}"
