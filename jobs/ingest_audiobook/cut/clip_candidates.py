"""Clip candidates and rejected spans of a speech chunk, in seconds of the chunk, before any clip is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from jobs.audio.vad_segments import PAD_S, Span

Origin: TypeAlias = Literal["book", "asr", "subtitle"] | None
"""Whose words a text has: the book's, Whisper's, or given ones."""


@dataclass(frozen=True)
class ClipCandidate:
    """A span (seconds of the chunk) to write as a clip, with its text as the book writes it.

    ``spoken``: the spoken words, where they differ from ``spoken_words(text)``. ``n_words``: of the book.
    """

    span: Span
    text: str
    spoken: tuple[str, ...] | None = None
    n_words: int = 0
    origin: Origin = None


@dataclass(frozen=True)
class RejectedSpan:
    """A span that is not kept, with the reason. It becomes a ``Rejection`` once its samples are accounted for."""

    span: Span
    reason: str
    detail: str = ""
    text: str | None = None


@dataclass(frozen=True)
class ClipLimits:
    """Lengths of clips, seconds, as in the job's parameters."""

    min_s: float
    target_s: float
    max_s: float
    max_gap_s: float
    pad_s: float = PAD_S


@dataclass(frozen=True)
class TimedWord:
    """A spoken word with its time in the chunk and the characters of the text that write it.

    ``score``: 0..1, how sure the recogniser is; None: not known.
    """

    word: str
    start_s: float
    end_s: float
    first_char: int
    last_char: int
    score: float | None = None


@dataclass(frozen=True)
class PlacedRun:
    """Speech between two pauses whose words were all found in the book."""

    span: Span
    words: tuple[TimedWord, ...]


@dataclass(frozen=True)
class WrittenWord:
    """A word as it is written, and when it is said, seconds of the chunk.

    ``spoken``: its spoken words, where they differ from ``spoken_words(written)``.
    """

    written: str
    start_s: float
    end_s: float
    score: float | None
    spoken: tuple[str, ...] | None = None


@dataclass(frozen=True)
class SaidSentence:
    """A sentence as it was said, or a part of one, before clips are cut."""

    text: str
    words: tuple[WrittenWord, ...]
    origin: Origin
    start_s: float
    end_s: float


class Candidates(NamedTuple):
    """Outcome of a chunk: what to keep, what to reject, all speech, rejected where neither covers it, and sentences."""

    kept: list[ClipCandidate]
    rejected: list[RejectedSpan]
    speech: list[RejectedSpan]
    sentences: list[SaidSentence]
    late: tuple[float, int] | None = None
    """Seconds that the given segments of the chunk were late, and their number; they were moved."""


def joined_span(spans: Sequence[Span]) -> Span:
    """Return the span from the start of the first to the end of the last."""
    return Span(spans[0].start_s, spans[-1].end_s, spans[0].cut_start, spans[-1].cut_end)


def reject_where(
    candidates: Sequence[ClipCandidate], find_reason: Callable[[ClipCandidate], tuple[str, str] | None]
) -> tuple[list[ClipCandidate], list[RejectedSpan]]:
    """Separate the candidates for which ``find_reason`` returns a reason and a detail."""
    kept: list[ClipCandidate] = []
    rejected: list[RejectedSpan] = []
    for candidate in candidates:
        if (found := find_reason(candidate)) is None:
            kept.append(candidate)
        else:
            rejected.append(RejectedSpan(candidate.span, *found, candidate.text or None))
    return kept, rejected


def reject_by_length(
    candidates: Sequence[ClipCandidate], limits: ClipLimits
) -> tuple[list[ClipCandidate], list[RejectedSpan]]:
    """Separate the candidates that are too short or too long for a clip."""

    def find_reason(candidate: ClipCandidate) -> tuple[str, str] | None:
        length = candidate.span.duration_s
        if length < limits.min_s:
            return "too_short", f"{length:.2f} s, shorter than min_clip_s {limits.min_s:g}"
        if length > limits.max_s + 1e-6:
            return "too_long", f"{length:.2f} s without a pause, longer than max_clip_s {limits.max_s:g}"
        return None

    return reject_where(candidates, find_reason)
