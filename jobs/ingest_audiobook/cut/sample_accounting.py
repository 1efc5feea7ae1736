"""Account of every sample of a speech chunk: each one is in a clip or in a rejection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import ClipCandidate, RejectedSpan

SILENCE = -1  # owner of samples that no candidate and no rejected span covers


def account_for_samples(
    candidates: Sequence[ClipCandidate],
    rejected: Sequence[RejectedSpan],
    speech: Sequence[RejectedSpan],
    n_samples: int,
) -> tuple[list[tuple[int, int, ClipCandidate]], list[tuple[int, int, RejectedSpan]]]:
    """Divide the samples of a chunk among candidates, rejected spans, other speech and silence, in this precedence.

    Args:
        candidates: clips to write.
        rejected: spans that were looked at and not kept; each gets the samples that no candidate covers.
        speech: all speech of the chunk; each span gets the samples that neither of the others covers.
        n_samples: of the chunk at 24 kHz.

    Returns:
        (first, last, candidate) and (first, last, rejected span), together covering ``0..n_samples`` without overlap.
    """
    others = [*speech, *sorted(rejected, key=lambda other: other.span.start_s)]
    claims = [(*_sample_range(other.span, n_samples), number) for number, other in enumerate(others)]
    kept: list[tuple[int, int, ClipCandidate]] = []
    reached = 0
    for candidate in sorted(candidates, key=lambda candidate: candidate.span.start_s):
        first, last = _sample_range(candidate.span, n_samples)
        first = max(first, reached)  # the border of two neighbours may round to two different samples
        kept.append((first, last, candidate))
        claims.append((first, last, len(others)))
        reached = last
    not_kept = [
        (first, last, others[owner] if owner != SILENCE else RejectedSpan(Span(0, 0), "silence"))
        for first, last, owner in _owned_ranges(claims, n_samples)
        if owner < len(others)
    ]
    n_covered = sum(last - first for first, last, _ in [*kept, *not_kept])
    assert n_covered == n_samples, f"{n_covered} of {n_samples} samples accounted for"
    return kept, not_kept


def _owned_ranges(claims: Sequence[tuple[int, int, int]], n_samples: int) -> Iterator[tuple[int, int, int]]:
    """Yield ranges (first, last, owner) that cover all samples; a later claim overrides an earlier one."""
    borders = np.unique([0, n_samples, *(border for first, last, _ in claims for border in (first, last))])
    owner = np.full(len(borders) - 1, SILENCE)
    for first, last, number in claims:
        owner[np.searchsorted(borders, first) : np.searchsorted(borders, last)] = number
    begin = 0
    for end in range(1, len(borders)):
        if end == len(owner) or owner[end] != owner[begin]:
            yield int(borders[begin]), int(borders[end]), int(owner[begin])
            begin = end


def _sample_range(span: Span, n_samples: int) -> tuple[int, int]:
    first, last = (min(max(0, round(time * CLIP_RATE_HZ)), n_samples) for time in (span.start_s, span.end_s))
    return first, max(first, last)
