"""What becomes of a stretch before it is written: pieces to keep, refusals with a reason, in seconds of the stretch.

Words that were found decide the borders: in the middle of a pause, never in a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.audio.vad_segments import PAD_S, Span

MIN_PAUSE_S = 0.06  # shorter gaps between words are no pause: a cut there is a cut in speech


@dataclass(frozen=True)
class Piece:
    """A clip to be: what is spoken in it, in the book's writing."""

    span: Span
    text: str
    spoken: tuple[str, ...] | None = None
    """Spoken words where they are read otherwise than ``spoken_words(text)`` would."""
    n_words: int = 0


@dataclass(frozen=True)
class Refusal:
    """A stretch of time that is not kept, and why."""

    span: Span
    reason: str
    detail: str = ""
    text: str | None = None


@dataclass(frozen=True)
class ClipLimits:
    """Lengths of clips, seconds; as in the job's parameters."""

    min_s: float
    target_s: float
    max_s: float
    max_gap_s: float
    pad_s: float = PAD_S


@dataclass(frozen=True)
class TimedWord:
    """A spoken word with its time in the stretch and the characters of the book that it is written with."""

    word: str
    start_s: float
    end_s: float
    first_char: int
    last_char: int


@dataclass(frozen=True)
class PlacedRun:
    """Speech between two pauses, all of whose words were found."""

    span: Span
    words: tuple[TimedWord, ...]


def split_points(
    words: Sequence[TimedWord], max_s: float, *, min_s: float = 1.0, pad_s: float = PAD_S
) -> list[tuple[int, int]]:
    """Divide a run of words so that no part with its padding is longer than ``max_s``, longest pause first.

    Words that are written together (1455 is three) stay together.

    Args:
        words: of one run, in order.
        max_s: longest part, seconds.
        min_s: parts shorter than this are avoided, seconds.
        pad_s: padding of each side, seconds.
    """
    if words[-1].end_s - words[0].start_s + 2 * pad_s <= max_s or len(words) < 2:
        return [(0, len(words))]
    candidates = [k for k in range(1, len(words)) if words[k].first_char != words[k - 1].first_char]
    roomy = [
        k
        for k in candidates
        if words[k - 1].end_s - words[0].start_s >= min_s and words[-1].end_s - words[k].start_s >= min_s
    ]
    if not candidates:
        return [(0, len(words))]
    middle = (words[0].start_s + words[-1].end_s) / 2
    cut = max(
        roomy or candidates,
        key=lambda k: (words[k].start_s - words[k - 1].end_s, -abs(words[k].start_s - middle)),
    )
    left = split_points(words[:cut], max_s, min_s=min_s, pad_s=pad_s)
    right = split_points(words[cut:], max_s, min_s=min_s, pad_s=pad_s)
    return left + [(first + cut, last + cut) for first, last in right]


def part_spans(
    run: PlacedRun, parts: Sequence[tuple[int, int]], before_s: float, after_s: float, pad_s: float = PAD_S
) -> list[Span]:
    """The time of each part of a run: cuts in the middle of pauses, the outer ends padded.

    Args:
        run: the run and its words.
        parts: from ``split_points``.
        before_s: where the sound before the run ends (the speech before, or the stretch's start mirrored).
        after_s: where the sound after it starts.
        pad_s: padding of each side, seconds.
    """
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


def checked_lengths(pieces: Sequence[Piece], limits: ClipLimits) -> tuple[list[Piece], list[Refusal]]:
    """Refuse pieces that are too short or too long for a clip."""
    kept: list[Piece] = []
    refused: list[Refusal] = []
    for piece in pieces:
        length = piece.span.duration_s
        if length < limits.min_s:
            detail = f"{length:.2f} s, shorter than min_clip_s {limits.min_s:g}"
            refused.append(Refusal(piece.span, "too_short", detail, piece.text or None))
        elif length > limits.max_s + 1e-6:
            detail = f"{length:.2f} s without a pause, longer than max_clip_s {limits.max_s:g}"
            refused.append(Refusal(piece.span, "too_long", detail, piece.text or None))
        else:
            kept.append(piece)
    return kept, refused
