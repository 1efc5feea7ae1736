"""Clip candidates from segments of text with times: fitted to a chunk, checked, and merged when short."""

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter

from jobs.audio.recording import Samples
from jobs.audio.vad_segments import FRAME_S, SPEECH_ON, Span, merged
from jobs.ingest_audiobook.cut.clip_candidates import (
    ClipCandidate,
    ClipLimits,
    RejectedSpan,
    joined_span,
    reject_by_length,
)
from jobs.ingest_audiobook.text.subtitles import Segment


def segment_candidates(
    segments: Sequence[Segment], start_s: float, duration_s: float, probabilities: Samples, limits: ClipLimits
) -> tuple[list[ClipCandidate], list[RejectedSpan]]:
    """Make candidates of the segments that begin in a chunk; an end within speech is marked as a cut."""
    candidates: list[ClipCandidate] = []
    rejected: list[RejectedSpan] = []
    reached_s = 0.0
    for segment in segments_within(segments, start_s, duration_s):
        span = Span(segment.start_s - start_s, segment.end_s - start_s)
        reason = rejection_reason(segment.start_s, span, reached_s, duration_s, segment.text)
        if reason is None:
            cuts = [_is_speech(probabilities, time_s) for time_s in (span.start_s, span.end_s)]
            candidates.append(ClipCandidate(Span(span.start_s, span.end_s, *cuts), segment.text))
            reached_s = span.end_s
        else:
            first_s, last_s = (min(max(time_s, 0.0), duration_s) for time_s in (span.start_s, span.end_s))
            detail = f"line {segment.line}: {segment.start_s}-{segment.end_s} s"
            rejected.append(RejectedSpan(Span(first_s, last_s), reason, detail, segment.text))
    kept, by_length = reject_by_length(_merged(candidates, rejected, limits), limits)
    return kept, rejected + by_length


def segments_within(segments: Sequence[Segment], start_s: float, duration_s: float) -> Sequence[Segment]:
    """Return the segments that begin in a chunk; those before the recording's start belong to its first chunk."""
    low = bisect_left(segments, start_s, key=attrgetter("start_s")) if start_s > 0 else 0
    return segments[low : bisect_left(segments, start_s + duration_s, key=attrgetter("start_s"))]


def rejection_reason(recording_s: float, span: Span, reached_s: float, duration_s: float, text: str) -> str | None:
    """Return why a text with times is not kept.

    Args:
        recording_s: its start in the recording.
        span: its time in the chunk.
        reached_s: end of the one before.
        duration_s: of the chunk.
        text: its words.
    """
    if span.end_s <= span.start_s:
        return "segment_backwards"
    if recording_s < 0:
        return "segment_before_start"
    if span.start_s < reached_s - 1e-6:
        return "segment_overlaps"
    if span.end_s > duration_s + 1e-3:
        return "segment_crosses_end"
    return None if text else "segment_without_text"


def _is_speech(probabilities: Samples, at_s: float) -> bool:
    return bool(probabilities[min(len(probabilities) - 1, int(at_s / FRAME_S))] >= SPEECH_ON)


def _merged(
    candidates: Sequence[ClipCandidate], rejected: Sequence[RejectedSpan], limits: ClipLimits
) -> list[ClipCandidate]:
    spans = [candidate.span for candidate in candidates]
    starts = sorted(other.span.start_s for other in rejected)
    may_join = [
        k > 0 and bisect_left(starts, span.start_s) <= bisect_left(starts, spans[k - 1].end_s)
        for k, span in enumerate(spans)
    ]
    groups = merged(spans, target_s=limits.target_s, max_s=limits.max_s, max_gap_s=limits.max_gap_s, may_join=may_join)
    return [
        ClipCandidate(joined_span([spans[k] for k in group]), " ".join(candidates[k].text for k in group))
        for group in groups
    ]
