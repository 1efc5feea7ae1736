"""Clip candidates from segments of text with times: fitted to a chunk, checked, and merged when short."""

import logging
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from jobs.audio.recording import Samples
from jobs.audio.vad_segments import Span, merged
from jobs.ingest_audiobook.cut.clip_candidates import (
    ClipCandidate,
    ClipLimits,
    RejectedSpan,
    joined_span,
    reject_by_length,
)
from jobs.ingest_audiobook.text.segment_borders import Pauses, find_offset
from jobs.ingest_audiobook.text.subtitles import Segment

logger = logging.getLogger(__name__)


MAX_TRIM_S = 0.1  # of a segment that begins before the end of the one before


@dataclass(frozen=True)
class PlacedSegment:
    """A segment with its time in the chunk, borders in pauses.

    ``reason``: why it is not kept. ``late_s``: the constant offset that was taken off.
    """

    segment: Segment
    span: Span
    reason: str | None
    late_s: float = 0.0


def place_segments(
    segments: Sequence[Segment], start_s: float, duration_s: float, probabilities: Samples
) -> list[PlacedSegment]:
    """Place the segments that begin in a chunk: without a constant offset, each border in the nearest pause."""
    near = segments_within(segments, start_s, duration_s)
    pauses = Pauses.of(probabilities)
    given = [Span(segment.start_s - start_s, segment.end_s - start_s) for segment in near]
    offset_s = find_offset(given, pauses)
    if offset_s:
        logger.info("The %d segments from %.0f s on are %.2f s late: moved.", len(near), start_s, offset_s)
    placed: list[PlacedSegment] = []
    reached_s = 0.0
    for segment, times in zip(near, given, strict=True):
        is_inside = times.end_s <= duration_s + 1e-3
        span = Span(times.start_s - offset_s, times.end_s - offset_s)
        if offset_s and is_inside:
            span = Span(min(max(span.start_s, 0.0), duration_s), min(max(span.end_s, 0.0), duration_s))
        if span.start_s < reached_s <= span.start_s + MAX_TRIM_S:
            span = replace(span, start_s=reached_s)
        reason = rejection_reason(segment.start_s, span, reached_s, duration_s, segment.text)
        if reason is None:
            span, reason = _between_pauses(span, pauses, reached_s)
        placed.append(PlacedSegment(segment, span, reason, offset_s))
        reached_s = reached_s if reason else span.end_s
    return placed


def _between_pauses(span: Span, pauses: Pauses, reached_s: float) -> tuple[Span, str | None]:
    start_s, end_s = pauses.start_near(span.start_s), pauses.end_near(span.end_s)
    if start_s is None or end_s is None or end_s <= start_s:
        return span, "border_in_speech"
    return Span(max(start_s, min(reached_s, end_s)), end_s), None


def segment_candidates(
    placed: Sequence[PlacedSegment], duration_s: float, limits: ClipLimits
) -> tuple[list[ClipCandidate], list[RejectedSpan]]:
    """Make candidates of the segments of a chunk; close short ones are merged."""
    candidates = [ClipCandidate(one.span, one.segment.text) for one in placed if one.reason is None]
    rejected: list[RejectedSpan] = []
    for one in placed:
        if one.reason is not None:
            first_s, last_s = (min(max(time_s, 0.0), duration_s) for time_s in (one.span.start_s, one.span.end_s))
            detail = f"line {one.segment.line}: {one.segment.start_s}-{one.segment.end_s} s"
            rejected.append(RejectedSpan(Span(first_s, last_s), one.reason, detail, one.segment.text))
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
