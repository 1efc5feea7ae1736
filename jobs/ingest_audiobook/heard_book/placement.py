"""The book's words in speech that Whisper heard: kept in runs of speech of which every word is the book's.

Words are matched to the whole book (``matching``), those that differ are judged (``differences``), and the words at
edges beside speech that is not kept are checked (``run_edges``).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jobs.asr.transcript import WITHOUT_SPACES
from jobs.audio.clip_io import Samples
from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import PlacedRun, RejectedSpan, TimedWord
from jobs.ingest_audiobook.heard_book.differences import DifferenceJudge, Doubt, Scorer
from jobs.ingest_audiobook.heard_book.matching import BookIndex, BookWords, letters, written_words
from jobs.ingest_audiobook.heard_book.run_edges import EdgeRun, settle_edges
from jobs.ingest_audiobook.heard_book.whisper_text import HeardText, assign_to_runs

MAX_QUOTED = 200  # characters of the book in a rejection's detail
SECONDS_PER_LETTER, SECONDS_PER_CHARACTER, SPARE_S = 0.2, 0.7, 0.8  # more speech holds words that were not heard


class BookPlacer:
    """A book in one language, whose words are placed in speech by what Whisper heard."""

    def __init__(self, text: str, language: str) -> None:
        self.book = BookWords(text, language)
        self._index = BookIndex([word.word for word in self.book.words], language)

    def place(self, heard: HeardText, audio_16k: Samples, scorer: Scorer) -> tuple[list[PlacedRun], list[RejectedSpan]]:
        """Return the runs of speech with the book's words, and those that hold other words."""
        said = [word for run in heard.placed for word in run.words]
        units = _units(said, heard.text, self.book.language)
        match = self._index.match([letters(unit.word) for unit in units])
        judge = DifferenceJudge(self.book, heard, units, audio_16k, scorer)
        verdicts = judge.judge(match.differences)
        timed = {(place, 1, 0): self._timed(at, units[place]) for place, at in match.equal.items()}
        bad: list[Doubt] = []
        for difference, verdict in zip(match.differences, verdicts, strict=True):
            if verdict.is_book:
                timed.update({(difference.heard.start, 0, k): word for k, word in enumerate(verdict.words)})
            else:
                bad += judge.doubtful_spans(difference, verdict)
        return self._runs(heard, _with_rising_times([word for _, word in sorted(timed.items())]), bad, judge)

    def _timed(self, at: int, unit: TimedWord) -> TimedWord:
        word = self.book.words[at]
        return replace(unit, word=word.word, first_char=word.start, last_char=word.end)

    def _runs(
        self, heard: HeardText, words: Sequence[TimedWord], bad: Sequence[Doubt], judge: DifferenceJudge
    ) -> tuple[list[PlacedRun], list[RejectedSpan]]:
        found = {run.span: run for run in assign_to_runs(words, heard.runs)}
        reasons = {run.span: self._doubt(run, found.get(run.span), bad) for run in heard.placed}
        edges = [
            EdgeRun(found.get(run.span, PlacedRun(run.span, ())), reasons[run.span] is None) for run in heard.placed
        ]
        placed: list[PlacedRun] = []
        rejected: list[RejectedSpan] = []
        for run, settled in zip(
            heard.placed, settle_edges(edges, heard.runs, judge.score_edge, self.book.follows), strict=True
        ):
            if settled.is_kept:
                placed.append(settled.run)
                continue
            reason, detail = reasons[run.span] or ("edge_in_doubt", "a word beside the pause may be cut or missing")
            words_there = found[run.span].words if run.span in found else ()
            text = self.book.text[words_there[0].first_char : words_there[-1].last_char] if words_there else None
            rejected.append(RejectedSpan(run.span, reason, detail, text and text[:MAX_QUOTED]))
        return placed, rejected

    def _doubt(self, heard: PlacedRun, found: PlacedRun | None, bad: Sequence[Doubt]) -> tuple[str, str] | None:
        """Return why a run is not kept, and a detail; None for one that is the book's."""
        if found is None:
            return "not_in_text", f"recognised: {' '.join(word.word for word in heard.words)}"
        doubt = next((each for each in bad if _overlaps(heard.span, each)), None)
        if doubt is not None:
            return doubt.reason, doubt.detail
        unsaid = self._unsaid_within(found.words)
        if unsaid is not None:
            return "words_differ", f"not said: {unsaid}"
        if heard.span.duration_s > self._longest_s(found.words):
            return "speech_not_in_text", f"{heard.span.duration_s:.1f} s of speech for {len(found.words)} words"
        return None

    def _unsaid_within(self, words: Sequence[TimedWord]) -> str | None:
        """Return the first text between two words that follow each other in speech, but not in the book."""
        for left, right in itertools.pairwise(words):
            if not self.book.follows(left, right):
                return " ".join(self.book.text[left.last_char : right.first_char].split())[:MAX_QUOTED]
        return None

    def _longest_s(self, words: Sequence[TimedWord]) -> float:
        n_letters = sum(len(word.word) for word in words)
        each_s = SECONDS_PER_CHARACTER if self.book.language in WITHOUT_SPACES else SECONDS_PER_LETTER
        # one written number is many spoken words
        return SPARE_S + each_s * (n_letters + 5 * sum(c.isdigit() for word in words for c in word.word))


def _units(said: Sequence[TimedWord], text: str, language: str) -> list[TimedWord]:
    """Divide what was heard as a book is divided: Whisper's own words end at apostrophes and hyphens."""
    if not said:
        return []
    characters = [at for word in said for at in (word.first_char, word.last_char)]
    times = [time_s for word in said for time_s in (word.start_s, word.end_s)]
    score = np.full(len(text) + 1, np.nan)  # of each character that was said
    for word in said:
        score[word.first_char : word.last_char] = 0.0 if word.score is None else word.score
    return [
        TimedWord(
            text[word.start : word.end],
            float(np.interp(word.start, characters, times)),
            float(np.interp(word.end, characters, times)),
            word.start,
            word.end,
            float(np.nanmean(score[word.start : word.end])),
        )
        for word in written_words(text, language)
        if not np.isnan(score[word.start : word.end]).all()
    ]


def _with_rising_times(words: Sequence[TimedWord]) -> list[TimedWord]:
    """Return words whose times rise, as of an alignment; those of Whisper and of scores may cross a little."""
    rising: list[TimedWord] = []
    reached_s = 0.0
    for word in words:
        reached_s = max(reached_s, word.start_s)
        rising.append(replace(word, start_s=reached_s, end_s=max(reached_s, word.end_s)))
    return rising


def _overlaps(span: Span, doubt: Doubt) -> bool:
    return min(span.end_s, doubt.end_s) >= max(span.start_s, doubt.start_s)
