"""Rejection of candidates: words cut at a fixed border (a chapter mark, a selection's end), and credits.

Credits are text about the recording, its reader or its owner that is no part of the book. Only whole phrases of
audiobook publishers match: a novel may mention recordings and the public domain.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from jobs.audio.recording import Samples
from jobs.audio.vad_segments import FRAME_S, SPEECH_OFF, Span
from jobs.ingest_audiobook.cut.clip_candidates import ClipCandidate, PlacedRun, RejectedSpan, reject_where
from jobs.ingest_audiobook.input.speech_chunks import SpeechChunk, to_24k
from jobs.ingest_audiobook.input.work_units import WorkUnit

# Measured on 282 cuts in real narration with 160 ms of certain speech on both sides: with SPEECH_OFF, this many frames
# detect all of them; 4 frames at the start miss one. Voice activity detection starts afresh there and reacts late.
FRAMES_AT_START, FRAMES_AT_END = 6, 3


def usable_span(chunk: SpeechChunk, unit: WorkUnit, rate_hz: int) -> Span:
    """Return the part of a chunk (seconds) outside of which a word may be cut: speech goes on across a fixed border."""
    first_s, last_s = 0.0, chunk.duration_s
    if _begins_at_mark(chunk, unit, rate_hz) and _has_speech(chunk.probabilities[:FRAMES_AT_START]):
        first_s = FRAMES_AT_START * FRAME_S
    if _ends_at_mark(chunk, unit, rate_hz) and _has_speech(chunk.probabilities[-FRAMES_AT_END:]):
        last_s -= FRAMES_AT_END * FRAME_S
    return Span(first_s, last_s)


def mark_cut_runs(placed: Sequence[PlacedRun], usable: Span) -> list[PlacedRun]:
    """Mark the ends of runs of speech that lie outside of the usable part as cut within speech."""
    return [
        replace(
            run,
            span=replace(
                run.span,
                cut_start=run.span.cut_start or run.span.start_s < usable.start_s,
                cut_end=run.span.cut_end or run.span.end_s > usable.end_s,
            ),
        )
        for run in placed
    ]


def reject_cut_words(
    candidates: Sequence[ClipCandidate], usable: Span
) -> tuple[list[ClipCandidate], list[RejectedSpan]]:
    """Separate the candidates outside of the usable part: a word may be cut there."""
    reason = ("cut_in_speech", "speech goes on across a chapter's mark or the selection's end")
    return reject_where(
        candidates,
        lambda found: reason if found.span.start_s < usable.start_s or found.span.end_s > usable.end_s else None,
    )


def _begins_at_mark(chunk: SpeechChunk, unit: WorkUnit, rate_hz: int) -> bool:
    is_fixed = unit.start > 0 and not unit.seeks_start
    return is_fixed and chunk.start_24k == to_24k(unit.start, rate_hz)


def _ends_at_mark(chunk: SpeechChunk, unit: WorkUnit, rate_hz: int) -> bool:
    is_fixed = unit.end is not None and not unit.seeks_end
    return is_fixed and chunk.end_24k == to_24k(unit.end or 0, rate_hz)


def _has_speech(probabilities: Samples) -> bool:
    return bool((probabilities >= SPEECH_OFF).any())


_PATTERNS = (
    r"\bthis is a libri ?vox recording\b",
    r"\ball libri ?vox recordings are in the public domain\b",
    r"\blibri ?vox (?:dot|\.) ?org\b",
    r"\bvolunteer,? please (?:visit|go to)\b",
    r"\b(?:recording|recorded|read|narrated|performed) (?:by|for) .{0,60}\blibri ?vox\b",
    r"\bthis (?:audio ?book|recording|program) (?:is|was) (?:read|narrated|recorded|performed|produced|copyright)",
    r"\b(?:audible|random house|penguin|harper ?collins|macmillan|blackstone|brilliance|recorded books|hachette|"
    r"simon (?:and|&) schuster|tantor)(?: audio)?(?:,? inc\.?)? (?:presents|hopes you have enjoyed)\b",
    r"\b(?:we|audible) hopes? you(?: have|'ve) enjoyed this (?:program|audio ?book|recording)\b",
    r"^\W*(?:this is audible|the end|end of (?:chapter|book|section|part) \w+)\W*(?:recording|recorded|read) by\b",
    r"^\W*(?:recording|recorded|read|narrated) by [A-Z][\w.' -]{2,50}\W*$",
    r"^\W*this is audible\W*$",
    r"\bby .{2,60}[,.;] (?:read|narrated|performed) (?:for you )?by\b",
    r"\b(?:copyright|production copyright) (?:in )?(?:\d{4}|two thousand|nineteen)\b",
)
_CREDITS = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.IGNORECASE)


def is_credit(text: str) -> bool:
    """Return True when a text announces the recording, its reader or its owner."""
    return _CREDITS.search(" ".join(text.split())) is not None


def reject_credits(candidates: Sequence[ClipCandidate]) -> tuple[list[ClipCandidate], list[RejectedSpan]]:
    """Separate the candidates that are credits."""
    return reject_where(candidates, lambda candidate: ("credits", "") if is_credit(candidate.text) else None)
