"""Matching of recognised words to a text, in order: the words of the text that each segment of audio speaks.

Pure functions on words; the audio is heard by ``jobs.asr.pocketsphinx_asr``.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

MIN_MATCH = 0.75  # of the longer of heard and expected words; facts: 0 of 13 segments of unprinted speech pass
MIN_LONE_WORDS = 4  # fewer words prove nothing unless they continue a neighbour's text


@dataclass(frozen=True)
class Match:
    """Words of one segment: ``text[first:last]``, of which ``share`` was recognised in order.

    ``share`` is 0.0 when nothing matched; then ``first == last``.
    """

    first: int
    last: int
    share: float
    heard: tuple[str, ...]


def match_in_order(text: Sequence[str], heard: Sequence[Sequence[str]]) -> list[Match]:
    """Match the recognised words of consecutive segments to a text, in order.

    Words may be missing on both sides. Unmatched words at the ends of a segment stand for as many words of text.
    """
    flat = [word for words in heard for word in words]
    position: dict[int, int] = {}
    for block in SequenceMatcher(None, text, flat, autojunk=False).get_matching_blocks():
        position.update({block.b + k: block.a + k for k in range(block.size)})
    matches: list[Match] = []
    start = 0
    for words in heard:
        end = start + len(words)
        found = [(index, position[index]) for index in range(start, end) if index in position]
        if found:
            first = max(0, found[0][1] - (found[0][0] - start))
            last = min(len(text), found[-1][1] + (end - found[-1][0]))
            share = len(found) / max(len(words), last - first)
            matches.append(Match(first, last, share, tuple(words)))
        else:
            matches.append(Match(0, 0, 0.0, tuple(words)))
        start = end
    return matches


def accepted(matches: Sequence[Match], min_match: float = MIN_MATCH) -> list[bool]:
    """Return for each match whether to accept it: enough words in order, after the match before, not alone with few."""
    good = [match.share >= min_match for match in matches]
    reached = 0
    for number, match in enumerate(matches):
        if good[number]:
            good[number] = match.last > reached and match.first >= reached - 4
            reached = match.last if good[number] else reached
    return [
        is_good and (match.last - match.first >= MIN_LONE_WORDS or _continues(matches, good, number))
        for number, (match, is_good) in enumerate(zip(matches, good, strict=True))
    ]


def _continues(matches: Sequence[Match], good: Sequence[bool], number: int) -> bool:
    """True when the text of a neighbour that is sure of itself ends where this one begins, or the reverse."""
    for other in (number - 1, number + 1):
        if not 0 <= other < len(matches) or not good[other]:
            continue
        near, far = matches[min(other, number)], matches[max(other, number)]
        if abs(far.first - near.last) <= 1 and matches[other].last - matches[other].first >= MIN_LONE_WORDS:
            return True
    return False


class TextIndex:
    """Index that finds recognised words in a whole book by groups of three words."""

    def __init__(self, text: Sequence[str]) -> None:
        self._places: dict[tuple[str, ...], list[int]] = {}
        for start in range(len(text) - 2):
            self._places.setdefault(tuple(text[start : start + 3]), []).append(start)

    def find(self, heard: Sequence[str]) -> int | None:
        """The position in the text of the first heard word, or None when no place stands out.

        A place needs four groups that agree within 20 words, and twice as many as any other place.
        """
        votes: Counter[int] = Counter()
        for start in range(len(heard) - 2):
            places = self._places.get(tuple(heard[start : start + 3]), [])
            if len(places) <= 20:
                votes.update({(place - start) // 20 for place in places})
        together = {bin_: votes[bin_] + votes[bin_ + 1] for bin_ in votes}
        if not together:
            return None
        best = max(together, key=lambda bin_: (together[bin_], -bin_))
        others = [n for bin_, n in together.items() if abs(bin_ - best) > 10]
        if together[best] < 4 or (others and max(others) * 2 > together[best]):
            return None
        return max(0, best * 20)
