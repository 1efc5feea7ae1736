"""Borders that were given, not sought: a chapter's mark or a selection's end may lie within a word. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.audio.recording import Samples
from jobs.audio.vad_segments import FRAME_S, SPEECH_OFF
from jobs.ingest_audiobook.cut.clip_candidates import Piece, Refusal
from jobs.ingest_audiobook.input.speech_chunks import Stretch, to_24k
from jobs.ingest_audiobook.input.work_units import Unit

# Of 282 cuts in real narration that had 160 ms of sure speech on both sides, this many frames with SPEECH_OFF told
# all; 4 at the start missed one. The voice activity begins afresh at a start, so it is slow there.
FRAMES_AT_START, FRAMES_AT_END = 6, 3


def without_cut_words(
    pieces: Sequence[Piece], stretch: Stretch, unit: Unit, rate_hz: int
) -> tuple[list[Piece], list[Refusal]]:
    """Refuse pieces at those borders of a unit where speech goes on: their first or last word may be cut.

    Args:
        pieces: of the stretch.
        stretch: of the unit.
        unit: where it begins or ends at the longest pause, or at the recording's start or end, no word is cut.
        rate_hz: of the recording.
    """
    first_s, last_s = 0.0, stretch.duration_s
    if _begins_at_mark(stretch, unit, rate_hz) and _is_speech(stretch.probabilities[:FRAMES_AT_START]):
        first_s = FRAMES_AT_START * FRAME_S
    if _ends_at_mark(stretch, unit, rate_hz) and _is_speech(stretch.probabilities[-FRAMES_AT_END:]):
        last_s -= FRAMES_AT_END * FRAME_S
    kept: list[Piece] = []
    refused: list[Refusal] = []
    for piece in pieces:
        if piece.span.start_s < first_s or piece.span.end_s > last_s:
            detail = "speech goes on across a chapter's mark or the selection's end"
            refused.append(Refusal(piece.span, "cut_in_speech", detail, piece.text or None))
        else:
            kept.append(piece)
    return kept, refused


def _begins_at_mark(stretch: Stretch, unit: Unit, rate_hz: int) -> bool:
    is_given = unit.start > 0 and not unit.seeks_start
    return is_given and stretch.start_24k == to_24k(unit.start, rate_hz)


def _ends_at_mark(stretch: Stretch, unit: Unit, rate_hz: int) -> bool:
    is_given = unit.end is not None and not unit.seeks_end
    return is_given and stretch.end_24k == to_24k(unit.end or 0, rate_hz)


def _is_speech(probabilities: Samples) -> bool:
    return bool((probabilities >= SPEECH_OFF).any())
