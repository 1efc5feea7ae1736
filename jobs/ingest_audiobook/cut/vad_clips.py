"""Speech cut at its pauses without a text: clips for Whisper, or clips alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from jobs.asr.whisper import TranscribedSegment
from jobs.audio.recording import Samples
from jobs.audio.vad_segments import Span, merged, padded, speech_spans
from jobs.ingest_audiobook.cut.clip_candidates import ClipLimits, Piece, Refusal, checked_lengths


class SpeechToText(Protocol):
    """What is needed of ``jobs.asr.whisper.Transcriber``."""

    def transcribe_spans(
        self, samples_16k: npt.NDArray[np.float32], spans_s: Sequence[tuple[float, float]], language: str | None = None
    ) -> list[list[TranscribedSegment]]:
        """For each span (seconds) its segments with text, times from the span's start."""
        ...


def speech_pieces(probabilities: Samples, duration_s: float, limits: ClipLimits) -> tuple[list[Piece], list[Refusal]]:
    """Clips of speech with an empty text: cut at pauses, merged, padded, of allowed length."""
    spans = padded(speech_spans(probabilities, max_span_s=limits.max_s - 2 * limits.pad_s), duration_s, limits.pad_s)
    groups = merged(spans, target_s=limits.target_s, max_s=limits.max_s, max_gap_s=limits.max_gap_s)
    pieces = [
        Piece(
            Span(
                spans[group[0]].start_s,
                spans[group[-1]].end_s,
                spans[group[0]].cut_start,
                spans[group[-1]].cut_end,
            ),
            "",
        )
        for group in groups
    ]
    return checked_lengths(pieces, limits)


def transcribed(
    pieces: Sequence[Piece], audio_16k: Samples, whisper: SpeechToText, language: str | None
) -> tuple[list[Piece], list[Refusal]]:
    """Give every piece Whisper's text of it alone: so a text is of this very audio, whatever Whisper's times.

    Loops, silence taken for words and doubtful text are refused.
    """
    kept: list[Piece] = []
    refused: list[Refusal] = []
    spans = [(piece.span.start_s, piece.span.end_s) for piece in pieces]
    for piece, segments in zip(pieces, whisper.transcribe_spans(audio_16k, spans, language), strict=True):
        text = " ".join(segment.text for segment in segments)
        doubts = [doubt for segment in segments if (doubt := segment.doubt()) is not None]
        if doubts:
            refused.append(Refusal(piece.span, doubts[0], _figures(segments), text))
        elif not text:
            refused.append(Refusal(piece.span, "no_transcript", "Whisper heard no words"))
        else:
            kept.append(Piece(piece.span, text))
    return kept, refused


def _figures(segments: Sequence[TranscribedSegment]) -> str:
    lowest = min(segment.mean_log_probability for segment in segments)
    highest = max(segment.compression_ratio for segment in segments)
    return f"mean log probability {lowest:.2f}, compression ratio {highest:.1f}"
