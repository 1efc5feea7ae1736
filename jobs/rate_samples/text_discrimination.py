"""Is it this text that is spoken? The right text must fit the audio better than every other text of the batch.

Works for takes of one or two seconds, where a word error rate means nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import LCSseq

from jobs.text.english_normalization import spoken_words

MAX_TEXTS = 24  # each comparison costs a forced alignment, about 0.05 s of CPU for each second of audio
# A text that is a part of another fits its audio too, often with a higher score (its lost words become silence).
MAX_SHARED = 0.6


def rivals(text: str, texts: Sequence[str]) -> list[str]:
    """The other texts that a take of ``text`` is compared with: all, or those nearest in length.

    Left out are texts that share more than ``MAX_SHARED`` of the shorter one's words, in order, with it.
    """
    words = spoken_words(text)
    others = {
        tuple(spoken): other for other in texts if (spoken := spoken_words(other)) and not _is_part(words, spoken)
    }
    nearest = sorted(others, key=lambda spoken: (abs(len(spoken) - len(words)), spoken))
    return [others[spoken] for spoken in nearest[: MAX_TEXTS - 1]]


def _is_part(words: Sequence[str], other: Sequence[str]) -> bool:
    return LCSseq.similarity(words, other) > MAX_SHARED * min(len(words), len(other))


def is_heard(own: float | None, others: Sequence[float | None]) -> bool | None:
    """True when the right text scored above all others; None when there was nothing to compare with.

    Args:
        own: score of the right text; None (it could not be aligned) means not heard.
        others: scores of the other texts; one that could not be aligned is below.
    """
    if not others:
        return None
    return own is not None and not another_fits(own, others)


def another_fits(own: float | None, others: Sequence[float | None]) -> bool:
    """True when a text that is not the right one fits the audio at least as well."""
    return any(other is not None and (own is None or other >= own) for other in others)
