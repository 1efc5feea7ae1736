"""Every sample of a stretch is in a clip or in a rejection. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import Piece, Refusal


def tiled(
    pieces: Sequence[Piece], refused: Sequence[Refusal], rest: Sequence[Refusal], n_samples: int
) -> tuple[list[tuple[int, int, Piece]], list[tuple[int, int, Refusal]]]:
    """Divide the samples of a stretch among its pieces, its refusals, the rest and silence.

    Pieces come first; a refusal gets what no piece covers, ``rest`` (the speech) what neither covers.

    Returns:
        (first, last, piece) and (first, last, refusal), together covering ``0..n_samples`` without overlap.
    """
    others = [*rest, *sorted(refused, key=lambda refusal: refusal.span.start_s)]
    claims = [(*_samples(refusal.span, n_samples), number) for number, refusal in enumerate(others)]
    kept: list[tuple[int, int, Piece]] = []
    reached = 0
    for piece in sorted(pieces, key=lambda piece: piece.span.start_s):
        first, last = _samples(piece.span, n_samples)
        first = max(first, reached)  # neighbours share a border, which may round to two samples
        kept.append((first, last, piece))
        claims.append((first, last, len(others)))
        reached = last
    rejected = [
        (first, last, others[number] if number >= 0 else Refusal(Span(0, 0), "silence"))
        for first, last, number in _owned(claims, n_samples)
        if number < len(others)
    ]
    n_covered = sum(last - first for first, last, _ in [*kept, *rejected])
    assert n_covered == n_samples, f"{n_covered} of {n_samples} samples accounted for"
    return kept, rejected


def _owned(claims: Sequence[tuple[int, int, int]], n_samples: int) -> Iterator[tuple[int, int, int]]:
    """Runs (first, last, owner) that cover all samples; a later claim takes from an earlier one, -1 is nobody's."""
    borders = np.unique([0, n_samples, *(border for first, last, _ in claims for border in (first, last))])
    owner = np.full(len(borders) - 1, -1)
    for first, last, number in claims:
        owner[np.searchsorted(borders, first) : np.searchsorted(borders, last)] = number
    begin = 0
    for end in range(1, len(borders)):
        if end == len(owner) or owner[end] != owner[begin]:
            yield int(borders[begin]), int(borders[end]), int(owner[begin])
            begin = end


def _samples(span: Span, n_samples: int) -> tuple[int, int]:
    first, last = (min(max(0, round(time * CLIP_RATE_HZ)), n_samples) for time in (span.start_s, span.end_s))
    return first, max(first, last)
