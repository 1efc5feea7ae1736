"""Rejection of candidates at fixed borders: a chapter mark or the end of a selection may fall within a word."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.audio.recording import Samples
from jobs.audio.vad_segments import FRAME_S, SPEECH_OFF
from jobs.ingest_audiobook.cut.clip_candidates import ClipCandidate, RejectedSpan, reject_where
from jobs.ingest_audiobook.input.speech_chunks import SpeechChunk, to_24k
from jobs.ingest_audiobook.input.work_units import WorkUnit

# Measured on 282 cuts in real narration with 160 ms of certain speech on both sides: with SPEECH_OFF, this many frames
# detect all of them; 4 frames at the start miss one. Voice activity detection starts afresh there and reacts late.
FRAMES_AT_START, FRAMES_AT_END = 6, 3


def reject_cut_words(
    candidates: Sequence[ClipCandidate], chunk: SpeechChunk, unit: WorkUnit, rate_hz: int
) -> tuple[list[ClipCandidate], list[RejectedSpan]]:
    """Separate the candidates at a fixed border of a unit across which speech goes on: a word may be cut there.

    Args:
        candidates: of the chunk.
        chunk: of the unit.
        unit: no word is cut where it begins or ends at a pause, or at the recording's start or end.
        rate_hz: of the recording.
    """
    first_s, last_s = 0.0, chunk.duration_s
    if _begins_at_mark(chunk, unit, rate_hz) and _has_speech(chunk.probabilities[:FRAMES_AT_START]):
        first_s = FRAMES_AT_START * FRAME_S
    if _ends_at_mark(chunk, unit, rate_hz) and _has_speech(chunk.probabilities[-FRAMES_AT_END:]):
        last_s -= FRAMES_AT_END * FRAME_S
    reason = ("cut_in_speech", "speech goes on across a chapter's mark or the selection's end")
    return reject_where(
        candidates,
        lambda candidate: reason if candidate.span.start_s < first_s or candidate.span.end_s > last_s else None,
    )


def _begins_at_mark(chunk: SpeechChunk, unit: WorkUnit, rate_hz: int) -> bool:
    is_fixed = unit.start > 0 and not unit.seeks_start
    return is_fixed and chunk.start_24k == to_24k(unit.start, rate_hz)


def _ends_at_mark(chunk: SpeechChunk, unit: WorkUnit, rate_hz: int) -> bool:
    is_fixed = unit.end is not None and not unit.seeks_end
    return is_fixed and chunk.end_24k == to_24k(unit.end or 0, rate_hz)


def _has_speech(probabilities: Samples) -> bool:
    return bool((probabilities >= SPEECH_OFF).any())
