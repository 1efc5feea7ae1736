"""Parts of the book's text that are in no clip."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_WORDS = 30


def unread(book: str, texts: Sequence[str], least_words: int = LEAST_WORDS) -> list[tuple[int, str]]:
    """Runs of a book's words that none of the texts covers: (number of words, how they begin), longest first.

    Args:
        book: the whole text.
        texts: parts of it in reading order; texts that are not part of it are ignored.
        least_words: shorter runs are left out.
    """
    words = book.split()
    joined = " ".join(words)
    starts: dict[int, int] = {}
    at = 0
    for number, word in enumerate(words):
        starts[at] = number
        at += len(word) + 1
    covered = [False] * len(words)
    reached = 0
    for text in texts:
        plain = " ".join(text.split())
        found = joined.find(plain, reached)
        if found < 0:
            continue
        reached = found + len(plain)
        first = starts.get(found)
        if first is None:
            continue
        for number in range(first, min(len(words), first + len(plain.split()))):
            covered[number] = True
    runs: list[tuple[int, int]] = []
    for number, is_covered in enumerate(covered):
        if is_covered:
            continue
        if runs and runs[-1][1] == number:
            runs[-1] = (runs[-1][0], number + 1)
        else:
            runs.append((number, number + 1))
    told = [(last - first, " ".join(words[first : first + 8])) for first, last in runs if last - first >= least_words]
    return sorted(told, key=lambda run: -run[0])
