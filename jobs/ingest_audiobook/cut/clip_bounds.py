"""Placed runs of the book become pieces: long ones split at pauses, short neighbours merged, each with its writing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.audio.vad_segments import Span, merged
from jobs.ingest_audiobook.cut.clip_candidates import (
    ClipLimits,
    Piece,
    PlacedRun,
    Refusal,
    TimedWord,
    checked_lengths,
    part_spans,
    split_points,
)
from jobs.text.english_normalization import SpokenWord, spoken_words, written_between


@dataclass(frozen=True)
class _Part:
    span: Span
    words: tuple[TimedWord, ...]


def book_pieces(
    text: str,
    words: Sequence[SpokenWord],
    placed: Sequence[PlacedRun],
    runs: Sequence[Span],
    duration_s: float,
    limits: ClipLimits,
) -> tuple[list[Piece], list[Refusal]]:
    """Make clips-to-be of placed runs.

    Args:
        text: the book.
        words: all its spoken words.
        placed: runs whose words were found, in order.
        runs: all runs of speech of the stretch, placed or not.
        duration_s: length of the stretch.
        limits: lengths of clips.
    """
    starts = [word.start for word in words]
    parts = [part for run in placed for part in _parts(run, runs, duration_s, limits)]
    groups = merged(
        [part.span for part in parts],
        target_s=limits.target_s,
        max_s=limits.max_s,
        max_gap_s=limits.max_gap_s,
        may_join=[k > 0 and _follows(parts[k - 1], parts[k], starts, runs) for k in range(len(parts))],
    )
    pieces = [_piece(text, words, starts, [parts[k] for k in group]) for group in groups]
    return checked_lengths(pieces, limits)


def _parts(run: PlacedRun, runs: Sequence[Span], duration_s: float, limits: ClipLimits) -> list[_Part]:
    run = _without_cut_ends(run)
    if not run.words:
        return []
    before = max((other.end_s for other in runs if other.end_s <= run.span.start_s), default=-run.span.start_s)
    after = min(
        (other.start_s for other in runs if other.start_s >= run.span.end_s),
        default=2 * duration_s - run.span.end_s,
    )
    ranges = split_points(run.words, limits.max_s, pad_s=limits.pad_s)
    return [
        _Part(span, run.words[first:last])
        for (first, last), span in zip(ranges, part_spans(run, ranges, before, after, limits.pad_s), strict=True)
    ]


def _without_cut_ends(run: PlacedRun) -> PlacedRun:
    """Drop the words up to the first pause at an end that lies within speech: the outermost may be half a word."""
    words, span = run.words, run.span
    if span.cut_start:
        k = _pause_after(words, range(1, len(words)))
        words = words[k:] if k else ()
    if span.cut_end and words:
        words = words[: _pause_after(words, range(len(words) - 1, 0, -1))]
    if not words or words == run.words:
        return PlacedRun(span, words)
    start = span.start_s if not span.cut_start else words[0].start_s
    return PlacedRun(Span(start, span.end_s if not span.cut_end else words[-1].end_s), words)


def _pause_after(words: Sequence[TimedWord], order: range) -> int:
    """The first k in ``order`` with a pause of 0.1 s before word k, else 0."""
    return next((k for k in order if words[k].start_s - words[k - 1].end_s >= 0.1), 0)


def _follows(left: _Part, right: _Part, starts: Sequence[int], runs: Sequence[Span]) -> bool:
    """True when the text goes on from one part to the next, with no other speech between them."""
    next_word = bisect_left(starts, left.words[-1].last_char)
    is_next = next_word < len(starts) and starts[next_word] == right.words[0].first_char
    middle_s = (left.words[-1].end_s, right.words[0].start_s)
    return is_next and not any(middle_s[0] < (run.start_s + run.end_s) / 2 < middle_s[1] for run in runs)


def _piece(text: str, words: Sequence[SpokenWord], starts: Sequence[int], group: Sequence[_Part]) -> Piece:
    said = [word for part in group for word in part.words]
    first_char, last_char = said[0].first_char, said[-1].last_char
    next_word = bisect_left(starts, last_char)
    limit = starts[next_word] if next_word < len(starts) else len(text)
    writing = written_between(text, first_char, last_char, limit)
    spoken = tuple(word.word for word in said)
    return Piece(
        span=Span(group[0].span.start_s, group[-1].span.end_s, group[0].span.cut_start, group[-1].span.cut_end),
        text=writing,
        spoken=None if list(spoken) == spoken_words(writing) else spoken,
        n_words=next_word - bisect_left(starts, first_char),
    )
