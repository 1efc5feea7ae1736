"""Text discrimination: is the text spoken? It must fit the audio better than every other text of the batch.

Works for takes of one or two seconds, for which a word error rate says nothing.
"""

from collections.abc import Sequence

from rapidfuzz.distance import LCSseq

from jobs.text.english_normalization import spoken_words

MAX_TEXTS = 24  # each comparison costs a forced alignment, about 0.05 s of CPU for each second of audio
# A text that is part of another fits its audio too, often with a higher score (missing words become silence).
MAX_SHARED = 0.6


def competing_texts(text: str, texts: Sequence[str]) -> list[str]:
    """Choose the other texts that a take of ``text`` is compared with: all, or those nearest in length.

    Texts that share more than ``MAX_SHARED`` of the shorter one's words, in order, are left out.
    """
    words = spoken_words(text)
    others = {
        tuple(spoken): other for other in texts if (spoken := spoken_words(other)) and not _overlaps(words, spoken)
    }
    nearest = sorted(others, key=lambda spoken: (abs(len(spoken) - len(words)), spoken))
    return [others[spoken] for spoken in nearest[: MAX_TEXTS - 1]]


def _overlaps(words: Sequence[str], other: Sequence[str]) -> bool:
    return LCSseq.similarity(words, other) > MAX_SHARED * min(len(words), len(other))


def fits_best(own: float | None, others: Sequence[float | None]) -> bool | None:
    """Return True if the right text scored above all others; None if there was no other text.

    A score of None, of a text that could not be aligned, is the lowest.
    """
    if not others:
        return None
    return own is not None and not another_text_fits(own, others)


def another_text_fits(own: float | None, others: Sequence[float | None]) -> bool:
    """Return True if another text fits the audio at least as well as the right one."""
    return any(other is not None and (own is None or other >= own) for other in others)
