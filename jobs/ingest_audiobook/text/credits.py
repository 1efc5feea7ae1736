"""Credits: text about the recording, its reader or its owner that is no part of the book.

Only whole phrases of audiobook publishers match: a novel may mention recordings and the public domain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jobs.ingest_audiobook.cut.clip_candidates import ClipCandidate, RejectedSpan, reject_where

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
