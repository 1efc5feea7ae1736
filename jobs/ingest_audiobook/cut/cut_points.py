"""Bounds of clips from words found in the book: in the middle of a pause, never within a word."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.audio.vad_segments import PAD_S, Span, merged
from jobs.ingest_audiobook.cut.clip_candidates import (
    ClipCandidate,
    ClipLimits,
    PlacedRun,
    RejectedSpan,
    TimedWord,
    joined_span,
    reject_by_length,
)
from jobs.text.english_normalization import SpokenWord, spoken_words, written_between

MIN_PAUSE_S = 0.06  # a shorter gap between words is no pause: a cut there counts as a cut within speech


@dataclass(frozen=True)
class _Part:
    span: Span
    words: tuple[TimedWord, ...]


def book_candidates(
    text: str,
    words: Sequence[SpokenWord],
    placed: Sequence[PlacedRun],
    runs: Sequence[Span],
    duration_s: float,
    limits: ClipLimits,
) -> tuple[list[ClipCandidate], list[RejectedSpan]]:
    """Make clip candidates of placed runs: long runs are split at pauses, short neighbours are merged."""
    starts = [word.start for word in words]
    parts = [part for run in placed for part in _parts(run, runs, duration_s, limits)]
    groups = merged(
        [part.span for part in parts],
        target_s=limits.target_s,
        max_s=limits.max_s,
        max_gap_s=limits.max_gap_s,
        may_join=[k > 0 and _follows(parts[k - 1], parts[k], starts, runs) for k in range(len(parts))],
    )
    candidates = [_candidate(text, words, starts, [parts[k] for k in group]) for group in groups]
    return reject_by_length(candidates, limits)


def split_ranges(
    words: Sequence[TimedWord], max_s: float, *, min_s: float = 1.0, pad_s: float = PAD_S
) -> list[tuple[int, int]]:
    """Divide a run of words so that no part with its padding is longer than ``max_s``, longest pause first.

    Spoken words of one written word (1455 is three) stay together. Returns (first, end) indices.
    """
    if words[-1].end_s - words[0].start_s + 2 * pad_s <= max_s or len(words) < 2:
        return [(0, len(words))]
    cuts = [k for k in range(1, len(words)) if words[k].first_char != words[k - 1].first_char]
    if not cuts:
        return [(0, len(words))]
    long_enough = [
        k
        for k in cuts
        if words[k - 1].end_s - words[0].start_s >= min_s and words[-1].end_s - words[k].start_s >= min_s
    ]
    middle = (words[0].start_s + words[-1].end_s) / 2
    cut = max(
        long_enough or cuts, key=lambda k: (words[k].start_s - words[k - 1].end_s, -abs(words[k].start_s - middle))
    )
    left = split_ranges(words[:cut], max_s, min_s=min_s, pad_s=pad_s)
    right = split_ranges(words[cut:], max_s, min_s=min_s, pad_s=pad_s)
    return left + [(first + cut, last + cut) for first, last in right]


def part_spans(
    run: PlacedRun, parts: Sequence[tuple[int, int]], before_s: float, after_s: float, pad_s: float = PAD_S
) -> list[Span]:
    """Compute the time of each part of a run: cuts in the middle of pauses, the outer ends padded."""
    first_s = min(run.span.start_s, run.words[0].start_s)
    last_s = max(run.span.end_s, run.words[-1].end_s)
    start, is_cut = max(first_s - pad_s, (before_s + first_s) / 2), False
    spans: list[Span] = []
    for _, last in parts[:-1]:
        end_word, next_word = run.words[last - 1], run.words[last]
        cut, was_cut = (end_word.end_s + next_word.start_s) / 2, is_cut
        is_cut = next_word.start_s - end_word.end_s < MIN_PAUSE_S
        spans.append(Span(start, cut, was_cut, is_cut))
        start = cut
    spans.append(Span(start, min(last_s + pad_s, (last_s + after_s) / 2), is_cut, False))
    return spans


def _parts(run: PlacedRun, runs: Sequence[Span], duration_s: float, limits: ClipLimits) -> list[_Part]:
    run = _without_cut_ends(run)
    if not run.words:
        return []
    before = max((other.end_s for other in runs if other.end_s <= run.span.start_s), default=-run.span.start_s)
    after = min(
        (other.start_s for other in runs if other.start_s >= run.span.end_s), default=2 * duration_s - run.span.end_s
    )
    ranges = split_ranges(run.words, limits.max_s, pad_s=limits.pad_s)
    return [
        _Part(span, run.words[first:last])
        for (first, last), span in zip(ranges, part_spans(run, ranges, before, after, limits.pad_s), strict=True)
    ]


def _without_cut_ends(run: PlacedRun) -> PlacedRun:
    """Drop the words before the first pause at an end that lies within speech: the outermost word may be cut."""
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
    """Return the first k in ``order`` with a pause of 0.1 s before word k, else 0."""
    return next((k for k in order if words[k].start_s - words[k - 1].end_s >= 0.1), 0)


def _follows(left: _Part, right: _Part, starts: Sequence[int], runs: Sequence[Span]) -> bool:
    """Return True when the text continues from one part to the next with no other speech between them."""
    next_word = bisect_left(starts, left.words[-1].last_char)
    is_next = next_word < len(starts) and starts[next_word] == right.words[0].first_char
    middle_s = (left.words[-1].end_s, right.words[0].start_s)
    return is_next and not any(middle_s[0] < (run.start_s + run.end_s) / 2 < middle_s[1] for run in runs)


def _candidate(text: str, words: Sequence[SpokenWord], starts: Sequence[int], group: Sequence[_Part]) -> ClipCandidate:
    said = [word for part in group for word in part.words]
    first_char, last_char = said[0].first_char, said[-1].last_char
    next_word = bisect_left(starts, last_char)
    limit = starts[next_word] if next_word < len(starts) else len(text)
    writing = written_between(text, first_char, last_char, limit)
    spoken = tuple(word.word for word in said)
    return ClipCandidate(
        span=joined_span([part.span for part in group]),
        text=writing,
        spoken=None if list(spoken) == spoken_words(writing) else spoken,
        n_words=next_word - bisect_left(starts, first_char),
    )
