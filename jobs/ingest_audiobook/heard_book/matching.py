"""Match of the words that a recogniser heard to the words of a book, in any language and anywhere in the book.

Pure functions on words. Groups of words that both have are chained in reading order; a chapter that is left out, moved
or not in the book costs a jump. Between them the words are compared one by one.
"""

import itertools
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from rapidfuzz.distance import Levenshtein

from jobs.asr.transcript import WITHOUT_SPACES
from jobs.ingest_audiobook.cut.clip_candidates import TimedWord
from jobs.text.english_normalization import SpokenWord

GROUP_WORDS, GROUP_CHARACTERS = 3, 4  # of an anchor
MAX_PLACES = 20  # of a group in the book; a commoner one proves nothing
JUMP_COST = 4.0  # anchors that a jump to another part of the book must gain; so many begin a chain, too
SHIFT_COST = 0.04  # for each word that only one side has
MAX_RETAKE_WORDS = 200  # a jump back by less is a retake: the sentence was kept already
SPARE_WORDS = 5  # of the book, compared beyond as many as were heard
MAX_CHANGED_WORDS = 8  # in a row; more is another text
MIN_OTHER_WORDS = 6  # around words that are equal by chance

_WRITTEN_WORD = re.compile(r"[^\s—–…/]*\w[^\s—–…/]*")
_LETTER = re.compile(r"\w")


@dataclass(frozen=True)
class Difference:
    """Consecutive words of which the book has others than were heard: ``heard[a:b]`` and ``book[c:d]``."""

    heard: range
    book: range

    @property
    def is_other_text(self) -> bool:
        """True when too many words differ for one to be taken for another."""
        return max(len(self.heard), len(self.book)) > MAX_CHANGED_WORDS


@dataclass(frozen=True)
class BookMatch:
    """Words heard that are the book's: index heard to index in the book, ascending; and the differences."""

    equal: dict[int, int]
    differences: tuple[Difference, ...]


def written_words(text: str, language: str) -> list[SpokenWord]:
    """Return the words of a text as they are compared, each with its characters; characters in zh and ja."""
    pattern = _LETTER if language in WITHOUT_SPACES else _WRITTEN_WORD
    found = ((match, letters(match.group())) for match in pattern.finditer(text))
    return [_trimmed(match, word) for match, word in found if word]


def letters(written: str) -> str:
    """Return the letters and digits of a word, without case, ligatures and soft hyphens."""
    return "".join(c for c in unicodedata.normalize("NFKC", written).casefold() if c.isalnum())


def _trimmed(match: re.Match[str], word: str) -> SpokenWord:
    written = match.group()
    before = len(written) - len(written.lstrip("".join({c for c in written if not c.isalnum()})))
    after = len(written) - len(written.rstrip("".join({c for c in written if not c.isalnum()})))
    return SpokenWord(word, match.start() + before, match.end() - after)


class BookWords:
    """A book's text in one language and its words."""

    def __init__(self, text: str, language: str) -> None:
        self.text = text
        self.language = language
        self.words = written_words(text, language)
        self.space = "" if language in WITHOUT_SPACES else " "
        self._starts = [word.start for word in self.words]

    def written(self, places: range) -> str:
        """Return words without the marks around them."""
        return self.space.join(self.text[word.start : word.end] for word in self.words[places.start : places.stop])

    def with_marks(self, places: range) -> str:
        """Return words as the book writes them, abbreviations with their full stops."""
        if not places:
            return ""
        end = self.words[places.stop].start if places.stop < len(self.words) else len(self.text)
        return " ".join(self.text[self.words[places.start].start : end].split())

    def follows(self, left: TimedWord, right: TimedWord) -> bool:
        """Return True for two words of the book without another between them."""
        return bisect_left(self._starts, right.first_char) == bisect_left(self._starts, left.first_char) + 1


class BookIndex:
    """A book's words, and where in it each group of them stands."""

    def __init__(self, words: Sequence[str], language: str) -> None:
        self.words = words
        self._n = GROUP_CHARACTERS if language in WITHOUT_SPACES else GROUP_WORDS
        self._places: dict[tuple[str, ...], list[int]] = {}
        for place, group in self._groups(words):
            self._places.setdefault(group, []).append(place)

    def _groups(self, words: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
        plain = [_without_accents(word) for word in words]
        return ((place, tuple(plain[place : place + self._n])) for place in range(len(words) - self._n + 1))

    def match(self, heard: Sequence[str]) -> BookMatch:
        """Match words that were heard one after the other."""
        anchors = [
            (place, at)
            for place, group in self._groups(heard)
            if len(found := self._places.get(group, [])) <= MAX_PLACES
            for at in found
        ]
        equal: dict[int, int] = {}
        for place, at in _best_chain(anchors):
            for k in range(self._n):
                if heard[place + k] == self.words[at + k]:
                    equal.setdefault(place + k, at + k)
        return _fill(heard, self.words, _in_order(equal))


def _without_accents(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


def _best_chain(anchors: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the anchors, in the order heard, with the best balance of their number and the jumps between them."""
    if not anchors:
        return []
    heard, book = (np.array(side, np.int64) for side in zip(*anchors, strict=True))
    shift = book - heard
    score = np.full(len(anchors), 1.0 - JUMP_COST)
    before = np.full(len(anchors), -1)
    for k in range(1, len(anchors)):
        change = shift[k] - shift[:k]
        cost = np.minimum(np.abs(change) * SHIFT_COST, JUMP_COST)
        back = book[k] - book[:k]
        cost = np.where(back > 0, cost, np.where(back > -MAX_RETAKE_WORDS, np.inf, JUMP_COST))
        cost = np.where(heard[:k] < heard[k], cost, np.inf)
        total = score[:k] - cost + 1.0
        best = int(np.argmax(total))
        if total[best] > score[k]:
            score[k], before[k] = total[best], best
    place = int(np.argmax(score))
    if score[place] <= 0:
        return []
    chain = []
    while place >= 0:
        chain.append(anchors[place])
        place = int(before[place])
    return chain[::-1]


def _in_order(equal: dict[int, int]) -> dict[int, int]:
    """Drop pairs that a group heard before has claimed for the book."""
    used: set[int] = set()
    kept: dict[int, int] = {}
    for place, at in sorted(equal.items()):
        if at not in used:
            used.add(at)
            kept[place] = at
    return kept


def _fill(heard: Sequence[str], book: Sequence[str], anchored: dict[int, int]) -> BookMatch:
    """Compare the words before, between and after the anchored ones."""
    if not anchored:
        return BookMatch({}, (Difference(range(len(heard)), range(0)),) if heard else ())
    equal = dict(anchored)
    borders = [(-1, None), *sorted(anchored.items()), (len(heard), None)]
    differences: list[Difference] = []
    for (left, at), (right, to) in itertools.pairwise(borders):
        gap = range(left + 1, right)
        places = _places_between(at, to, len(gap), len(book))
        found, changed = _compare(heard, gap, book, places, has_left=at is not None, has_right=to is not None)
        equal.update(found)
        differences += changed
    return BookMatch(dict(sorted(equal.items())), tuple(differences))


def _places_between(left: int | None, right: int | None, n_heard: int, n_book: int) -> list[int]:
    """Return the places in the book that words between two places may stand at."""
    near = n_heard + SPARE_WORDS
    after = [] if left is None else list(range(left + 1, min(n_book, left + 1 + near)))
    before = [] if right is None else list(range(max(0, right - near), right))
    if left is not None and right is not None and left < right <= left + 1 + 2 * near:
        return list(range(left + 1, right))
    return after + before


def _compare(
    heard: Sequence[str], gap: range, book: Sequence[str], places: Sequence[int], *, has_left: bool, has_right: bool
) -> tuple[dict[int, int], list[Difference]]:
    """Compare words with those of the book at some places, which may have a seam between two parts of the book."""
    seams = {k for k in range(1, len(places)) if places[k] != places[k - 1] + 1}
    is_whole = has_left and has_right and not seams
    codes = Levenshtein.opcodes([book[place] for place in places], [heard[k] for k in gap])
    blocks: list[tuple[Literal["equal", "changed"], range, range]] = []
    for code in codes:
        kind: Literal["equal", "changed"] = "equal" if code.tag == "equal" else "changed"
        ours, theirs = range(code.dest_start, code.dest_end), range(code.src_start, code.src_end)
        if blocks and blocks[-1][0] == kind == "changed":
            ours = range(blocks[-1][1].start, ours.stop)
            theirs = range(blocks.pop()[2].start, theirs.stop)
        blocks.append((kind, ours, theirs))
    blocks = _without_islands(blocks)
    equal: dict[int, int] = {}
    differences: list[Difference] = []
    for number, (kind, ours, theirs) in enumerate(blocks):
        if kind == "equal":
            equal.update({gap[a]: places[b] for a, b in zip(ours, theirs, strict=True)})
            continue
        is_outer = (number == 0 and not has_left) or (number == len(blocks) - 1 and not has_right)
        is_across = any(theirs.start < seam < theirs.stop or seam in (theirs.start, theirs.stop) for seam in seams)
        heard_range = range(gap.start + ours.start, gap.start + ours.stop)
        if (is_outer or is_across) and not is_whole:
            differences += _at_open_end(heard_range, theirs, places, is_first=number == 0 and not has_left)
        else:
            book_range = range(places[theirs.start], places[theirs.stop - 1] + 1) if theirs else range(0)
            differences.append(Difference(heard_range, book_range))
    return equal, differences


def _at_open_end(heard: range, theirs: range, places: Sequence[int], *, is_first: bool) -> list[Difference]:
    """Return the difference at an end of a part of the book, with as many words of it as were heard."""
    if not heard:
        return []
    near = theirs[-len(heard) :] if is_first else theirs[: len(heard)]
    is_run = bool(near) and places[near[-1]] - places[near[0]] == len(near) - 1
    return [Difference(heard, range(places[near[0]], places[near[-1]] + 1) if is_run else range(0))]


def _without_islands(
    blocks: list[tuple[Literal["equal", "changed"], range, range]],
) -> list[tuple[Literal["equal", "changed"], range, range]]:
    """Join changes with the few equal words between them, which another text has by chance."""
    joined: list[tuple[Literal["equal", "changed"], range, range]] = []
    for block in blocks:
        joined.append(block)
        while len(joined) >= 3 and joined[-1][0] == joined[-3][0] == "changed":
            left, middle, right = joined[-3:]
            n_changed = sum(max(len(side[1]), len(side[2])) for side in (left, right))
            if n_changed < MIN_OTHER_WORDS or len(middle[1]) * 3 > n_changed:
                break
            joined[-3:] = [("changed", range(left[1].start, right[1].stop), range(left[2].start, right[2].stop))]
    return joined
