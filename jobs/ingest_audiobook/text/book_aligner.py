"""Alignment of a book's text with its recording: recognise a run of speech, match it to the text, align the words.

A run of speech is kept only when all of it is in the text and all of its text is in the speech. Own measurement on
real narration (LibriVox, 2026) with one word removed, added or replaced at the start, the middle or the end of a run's
text: 94 % of 252 such runs are rejected, and 6 % of the right ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rapidfuzz.distance import Levenshtein

from jobs.asr.pocketsphinx_asr import Fit, Recogniser, TextRecogniser
from jobs.asr.rivals.readings import MIN_EVIDENCE, find_rival_readings
from jobs.audio.recording import Samples
from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import PlacedRun, RejectedSpan, TimedWord
from jobs.ingest_audiobook.cut.speech_runs import SpeechRun, group_into_stretches, speech_runs
from jobs.ingest_audiobook.text.sequence_matching import Match, TextIndex, accepted, match_in_order
from jobs.text.english_normalization import SpokenWord, other_readings, spoken_map, spoken_words

WORDS_PER_S = 4.5  # of the window of text; real narrators stay under 3.5
SPARE_WORDS = 150
# The recognised words may score better than the text by this much (natural log) for each differing word.
# Right text of real narration: 19 and less, except one run in 31 with 57; text with one wrong word: 30 to 10,000.
MAX_ADVANTAGE = 25.0
MAX_UNCOVERED_S = 0.35  # speech before the first or after the last word
NOT_ALIGNED = -1e6
SHORT_BOOK_WORDS = 150  # such a book fits into the first window
PLACE_BY_S = 40.0  # of speech, about 100 words, to find where in the book a unit begins
MAX_FAINT_WORDS = 2  # possibly missed before the first recognised word of a passage
FOUND_SHARE = 0.5  # of a passage's speech; below it the whole book is searched


@dataclass(frozen=True)
class BookPosition:
    """Position of the narration in the book.

    ``cursor`` is the index of the spoken word that is expected next; None: to be searched for. ``n_lost`` consecutive
    passages were not found; the whole book is searched again after ``n_wait``, which doubles with every failure.
    """

    cursor: int | None = 0
    n_lost: int = 0
    n_wait: int = 0


class BookAligner:
    """Aligns chunks of speech with the text of a book, in order."""

    def __init__(self, text: str, recogniser: Recogniser, position: BookPosition | None = None) -> None:
        self.text = text
        self.words = spoken_map(text)
        self.position = position or BookPosition()
        self._tokens = [word.word for word in self.words]
        self._recogniser = recogniser
        self._index: TextIndex | None = None
        self._whole: TextRecogniser | None = None

    def align(
        self, audio_16k: Samples, probabilities: Samples, runs: Sequence[Span]
    ) -> tuple[list[PlacedRun], list[RejectedSpan]]:
        """Find the words of the runs of a chunk in the book."""
        placed: list[PlacedRun] = []
        rejected: list[RejectedSpan] = []
        for passage in group_into_stretches(speech_runs(audio_16k, probabilities, runs)):
            window, matches, trusted = self._find(passage)
            matches = self._settle_borders(passage, matches, trusted, window)
            for run, match, is_trusted in zip(passage, matches, trusted, strict=True):
                result = self._place_run(run, match, window) if is_trusted else _no_match(run, match)
                if isinstance(result, PlacedRun):
                    placed.append(result)
                else:
                    rejected.append(result)
        return placed, rejected

    def _find(self, passage: Sequence[SpeechRun]) -> tuple[_TextWindow, list[Match], list[bool]]:
        """Match a passage to the text at the cursor or, if most of it is not there, where the whole book has it."""
        duration_s = sum(run.span.duration_s for run in passage)
        cursor = self._find_start(passage) if self.position.cursor is None else self.position.cursor
        self.position = replace(self.position, cursor=cursor)
        window = self._window(cursor, duration_s)
        matches, trusted = self._match(passage, window)
        found = _found_s(passage, trusted)
        position = replace(self.position, n_wait=max(0, self.position.n_wait - 1))
        if found < FOUND_SHARE * duration_s and self.position.n_wait == 0 and self._tokens:
            start = self._search(passage)
            other = window if start is None else self._window(max(0, start - SPARE_WORDS), duration_s)
            if other.first != window.first:
                found_there = self._match(passage, other)
                if _found_s(passage, found_there[1]) > found:
                    window, (matches, trusted) = other, found_there
            n_lost = 0 if any(trusted) else position.n_lost + 1
            position = replace(position, n_lost=n_lost, n_wait=2**n_lost - 1 if n_lost else 0)
        ends = [match.last for match, is_trusted in zip(matches, trusted, strict=True) if is_trusted]
        self.position = replace(position, cursor=window.first + max(ends)) if ends else position
        return window, matches, trusted

    def _find_start(self, passage: Sequence[SpeechRun]) -> int:
        """Return where in the book a passage is, by its first speech; the beginning when that is not conclusive."""
        if len(self.words) <= SHORT_BOOK_WORDS:
            return 0
        length_s = itertools.accumulate(run.span.duration_s for run in passage)
        head = [run for run, until_s in zip(passage, length_s, strict=True) if until_s <= PLACE_BY_S]
        start = self._search(head or passage[:1])
        return max(0, start - SPARE_WORDS // 2) if start is not None else 0

    def _window(self, first: int, duration_s: float) -> _TextWindow:
        last = first + int(duration_s * WORDS_PER_S) + SPARE_WORDS
        return _TextWindow(first, self.words[first:last], self._tokens[first:last])

    def _match(self, passage: Sequence[SpeechRun], window: _TextWindow) -> tuple[list[Match], list[bool]]:
        if not window.tokens:
            return [Match(0, 0, 0.0, ()) for _ in passage], [False] * len(passage)
        decoder = self._recogniser.for_text(window.tokens, self._other_words(window))
        matches = match_in_order(window.tokens, [decoder.recognise(run.audio_16k) for run in passage])
        return matches, accepted(matches)

    def _other_words(self, window: _TextWindow) -> set[str]:
        tokens = {self.text[word.start : word.end] for word in window.words}
        return {word for token in tokens for reading in other_readings(token) for word in reading}

    def _search(self, passage: Sequence[SpeechRun]) -> int | None:
        """Return where in the whole book the passage's first word may be."""
        if self._whole is None or self._index is None:
            self._whole = self._recogniser.for_text(self._tokens)
            self._index = TextIndex(self._tokens)
        return self._index.find([word for run in passage for word in self._whole.recognise(run.audio_16k)])

    def _settle_borders(
        self, passage: Sequence[SpeechRun], matches: list[Match], trusted: Sequence[bool], window: _TextWindow
    ) -> list[Match]:
        """Divide words that two neighbouring runs both claim, or both leave out, by acoustic score."""
        settled = list(matches)
        if trusted and trusted[0] and matches[0].first:
            settled[0] = self._with_faint_start(passage[0], matches[0], window)
        for k in range(len(passage) - 1):
            left, right = settled[k], settled[k + 1]
            if not (trusted[k] and trusted[k + 1]) or not 0 < abs(right.first - left.last) <= 4:
                continue
            low, high = sorted((left.last, right.first))
            choices = [(border, border) for border in range(low, high + 1)]
            if left.last < right.first:
                choices.append((left.last, right.first))  # a few words of the text may not be spoken
            best = max(
                (choice for choice in choices if left.first < choice[0] and choice[1] < right.last),
                key=lambda choice: (
                    self._log_score(passage[k], window.tokens[left.first : choice[0]])
                    + self._log_score(passage[k + 1], window.tokens[choice[1] : right.last])
                ),
                default=(left.last, right.first),
            )
            settled[k], settled[k + 1] = replace(left, last=best[0]), replace(right, first=best[1])
        return settled

    def _with_faint_start(self, run: SpeechRun, match: Match, window: _TextWindow) -> Match:
        """Return a match that starts some words earlier if that scores better: faint first words are easily missed."""
        starts = range(match.first, max(-1, match.first - 1 - MAX_FAINT_WORDS), -1)
        best = max(starts, key=lambda first: self._log_score(run, window.tokens[first : match.last]))
        return replace(match, first=best)

    def _log_score(self, run: SpeechRun, words: Sequence[str]) -> float:
        fit = self._recogniser.fit(run.audio_16k, words)
        return NOT_ALIGNED if fit is None else fit.log_score

    def _place_run(self, run: SpeechRun, match: Match, window: _TextWindow) -> PlacedRun | RejectedSpan:
        words = window.words[match.first : match.last]
        text = " ".join(word.word for word in words)
        if not words:
            return _no_match(run, match)
        words, fit = self._best_reading(run, words)
        if fit is None:
            return RejectedSpan(run.span, "not_aligned", "the words do not fit the audio", text)
        tokens = [word.word for word in words]
        n_different = Levenshtein.distance(match.heard, tokens)
        advantage = self._log_score(run, match.heard) - fit.log_score if n_different else 0.0
        if advantage > MAX_ADVANTAGE * n_different:
            detail = (
                f"recognised: {' '.join(match.heard)}; {n_different} words differ and score better by {advantage:.0f}"
            )
            return RejectedSpan(run.span, "words_differ", detail, text)
        uncovered_s = run.uncovered_s(fit.words)
        if uncovered_s > MAX_UNCOVERED_S:
            return RejectedSpan(
                run.span, "speech_not_in_text", f"{uncovered_s:.2f} s of speech outside the words", text
            )
        for rival in find_rival_readings(self._recogniser, run.audio_16k, tokens, fit):
            if rival.evidence > MIN_EVIDENCE:
                ours = " ".join(tokens[rival.first : rival.last]) or "nothing"
                detail = f"recognised: {' '.join(rival.heard) or 'nothing'} where the text has: {ours}"
                return RejectedSpan(run.span, "words_differ", detail, text)
        return PlacedRun(
            run.span,
            tuple(
                TimedWord(word.word, run.start_s + at.start_s, run.start_s + at.end_s, word.start, word.end, at.score)
                for word, at in zip(words, fit.words, strict=True)
            ),
        )

    def _best_reading(self, run: SpeechRun, words: list[SpokenWord]) -> tuple[list[SpokenWord], Fit | None]:
        """Choose the reading of numbers and abbreviations among ``words`` that fits the audio best."""
        best = self._recogniser.fit(run.audio_16k, [word.word for word in words])
        for start, end in dict.fromkeys((word.start, word.end) for word in words):
            token = self.text[start:end]
            if sum(word.start == start for word in words) != len(spoken_words(token)):
                continue  # the run begins or ends within the token
            for reading in other_readings(token):
                first = next(k for k, word in enumerate(words) if word.start == start)
                rest = [word for word in words[first:] if word.start != start]
                other = [*words[:first], *(SpokenWord(word, start, end) for word in reading), *rest]
                fit = self._recogniser.fit(run.audio_16k, [word.word for word in other])
                if fit is not None and (best is None or fit.log_score > best.log_score):
                    words, best = other, fit
        return words, best


@dataclass(frozen=True)
class _TextWindow:
    """The part of the book that a passage is matched to; ``first`` is the index of its first spoken word."""

    first: int
    words: list[SpokenWord]
    tokens: list[str]


def _found_s(passage: Sequence[SpeechRun], trusted: Sequence[bool]) -> float:
    return sum(run.span.duration_s for run, is_trusted in zip(passage, trusted, strict=True) if is_trusted)


def _no_match(run: SpeechRun, match: Match) -> RejectedSpan:
    recognised = " ".join(match.heard) or "nothing"
    return RejectedSpan(run.span, "not_in_text", f"{match.share:.0%} of the words match; recognised: {recognised}")
