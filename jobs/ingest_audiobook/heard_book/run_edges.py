"""Check of the words at the edges of runs of speech that are kept beside speech that is not.

Whisper's times are off by up to some tenths of a second, so that a word beside a pause may be taken for one of the run
on its other side. Where both runs are kept in one clip that does no harm. Here an edge of a run is scored by the run's
audio alone: with its words, and with some fewer and more of them.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import PlacedRun, TimedWord

MAX_SHIFT = 2  # words that may be on the other side of the pause
MIN_LEAD = 2.0  # natural log, by which the best edge must lead; else the run is not kept
MARGIN_S = 0.3  # of audio on each side of a run, at most to the middle of the pause

Score = Callable[[Span, Sequence[Sequence[TimedWord]]], Sequence[float | None]]


@dataclass(frozen=True)
class EdgeRun:
    """A run of speech with its words; ``is_kept`` False: speech with other words than the book's, beside these."""

    run: PlacedRun
    is_kept: bool


def settle_edges(
    runs: Sequence[EdgeRun], speech: Sequence[Span], score: Score, follows: Callable[[TimedWord, TimedWord], bool]
) -> list[EdgeRun]:
    """Correct the words at edges that face speech that is not kept; a run whose edge is in doubt is not kept either.

    Args:
        runs: in order.
        speech: all runs of speech.
        score: returns for a span of audio the log probability of each list of words, None: not known.
        follows: returns True for two words of the book without another between them.
    """
    settled = list(runs)
    place_of = {each.run.span: k for k, each in enumerate(settled)}
    queue = [(k, side) for k in range(len(settled)) for side in (-1, 1)]
    done: set[tuple[int, int]] = set()
    while queue:
        k, side = queue.pop(0)
        here = settled[k]
        number = speech.index(here.run.span) + side
        if not here.is_kept or (k, side) in done or not 0 <= number < len(speech):
            continue
        other = place_of.get(speech[number])
        if other is not None and settled[other].is_kept:
            continue
        done.add((k, side))
        beyond = settled[other].run.words if other is not None else ()
        audio = _audio_span(speech, number - side)
        choices = _choices(here.run, beyond, side)
        settled[k] = _settle(here, choices, score(audio, choices), follows)
        if not settled[k].is_kept:
            queue += [(n, -d) for d in (-1, 1) if 0 <= (n := k + d) < len(settled)]
    return settled


def _audio_span(speech: Sequence[Span], number: int) -> Span:
    span = speech[number]
    before = speech[number - 1].end_s if number else 0.0
    after = speech[number + 1].start_s if number + 1 < len(speech) else span.end_s + 2 * MARGIN_S
    start = max(span.start_s - MARGIN_S, (before + span.start_s) / 2)
    return Span(start, min(span.end_s + MARGIN_S, (span.end_s + after) / 2))


def _choices(run: PlacedRun, beyond: Sequence[TimedWord], side: int) -> list[list[TimedWord]]:
    """Return the words that the run may have; its own first."""
    shifts = range(-min(MAX_SHIFT, len(run.words) - 1), min(MAX_SHIFT, len(beyond)) + 1)
    return [_shifted(run, beyond, side, n) for n in sorted(shifts, key=abs)]


def _settle(
    here: EdgeRun,
    choices: Sequence[list[TimedWord]],
    scores: Sequence[float | None],
    follows: Callable[[TimedWord, TimedWord], bool],
) -> EdgeRun:
    known = [each for each in scores if each is not None]
    if len(known) < len(scores):
        return replace(here, is_kept=False)
    ranked = sorted(range(len(choices)), key=lambda k: -known[k])
    words = choices[ranked[0]]
    is_clear = len(ranked) == 1 or known[ranked[0]] - known[ranked[1]] >= MIN_LEAD
    is_book = all(follows(left, right) for left, right in itertools.pairwise(words))
    if not (is_clear and is_book):
        return replace(here, is_kept=False)
    return replace(here, run=replace(here.run, words=tuple(words)))


def _shifted(run: PlacedRun, beyond: Sequence[TimedWord], side: int, n: int) -> list[TimedWord]:
    """Return the run's words with ``n`` more, or fewer, at their end (``side`` 1) or at their start (-1)."""
    edge_s = run.span.end_s if side > 0 else run.span.start_s
    more = [replace(word, start_s=edge_s, end_s=edge_s) for word in (beyond[:n] if side > 0 else beyond[-n:])]
    if n > 0:
        return [*run.words, *more] if side > 0 else [*more, *run.words]
    n_left = len(run.words) + n
    return [*(run.words[:n_left] if side > 0 else run.words[-n_left:])]
