"""The book's words found in its recording: what is heard between two pauses is matched to the text, then aligned.

A run of speech is kept only when all of it is in the text and all of its text is in the speech. Own measurement on
real narration (LibriVox, 2026; one word left out, put in or replaced at the start, the middle or the end of a run's
text): 94 % of 252 such runs are refused, and 6 % of the right ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rapidfuzz.distance import Levenshtein

from jobs.asr.pocketsphinx_asr import Fit, Recogniser, TextRecogniser
from jobs.audio.recording import Samples
from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import PlacedRun, Refusal, TimedWord
from jobs.ingest_audiobook.cut.speech_runs import Run, passages, surrounded
from jobs.text.english_normalization import SpokenWord, other_readings, spoken_map, spoken_words
from jobs.text.matching import Match, TextIndex, accepted, match_in_order

WORDS_PER_S = 4.5  # of the window of text; real narrators stay under 3.5
SPARE_WORDS = 150
# What was heard may fit the sound better than the text by this much (natural log) a differing word.
# Right text of real narration: 19 and less, but for one run in 31 with 57; text with one wrong word: 30 to 10,000.
MAX_ADVANTAGE = 25.0
MAX_UNTOLD_S = 0.35  # speech before the first or after the last word
NOT_ALIGNED = -1e6
SHORT_BOOK_WORDS = 150  # the first window holds all of it
PLACE_BY_S = 40.0  # of speech, a hundred words, tell where in a book a unit begins
MAX_FAINT_WORDS = 2  # before the first that was heard where nothing tells what went before
FOUND_SHARE = 0.5  # of a passage's speech; with less the whole book is searched


@dataclass(frozen=True)
class ReadingState:
    """How far the book has been read.

    Attributes:
        cursor: the spoken word of the book that is expected next; None: to be found by what is heard.
        n_lost: passages in a row that the whole book was searched for in vain.
        n_wait: passages to come before it is searched again; doubles with every failure.
    """

    cursor: int | None = 0
    n_lost: int = 0
    n_wait: int = 0


class BookReader:
    """Follows a narrator through the text.

    Args:
        text: the book, in English.
        recogniser: of the run.
        state: where reading begins.
    """

    def __init__(self, text: str, recogniser: Recogniser, state: ReadingState | None = None) -> None:
        self.text = text
        self.words = spoken_map(text)
        self.state = state or ReadingState()
        self._tokens = [word.word for word in self.words]
        self._recogniser = recogniser
        self._index: TextIndex | None = None
        self._whole: TextRecogniser | None = None

    def read(
        self, audio_16k: Samples, probabilities: Samples, runs: Sequence[Span]
    ) -> tuple[list[PlacedRun], list[Refusal]]:
        """Place the runs of a stretch, in order.

        Args:
            audio_16k: the stretch.
            probabilities: its speech probabilities.
            runs: its speech between pauses, seconds.
        """
        placed: list[PlacedRun] = []
        refused: list[Refusal] = []
        for passage in passages(surrounded(audio_16k, probabilities, runs)):
            window, matches, believed = self._find(passage)
            matches = self._settled(passage, matches, believed, window)
            for run, match, is_believed in zip(passage, matches, believed, strict=True):
                result = self._placed(run, match, window) if is_believed else _no_match(run, match)
                if isinstance(result, PlacedRun):
                    placed.append(result)
                else:
                    refused.append(result)
        return placed, refused

    def _find(self, passage: Sequence[Run]) -> tuple[_Window, list[Match], list[bool]]:
        """Hear a passage against the text at the cursor and, if most of it is not there, against the whole book."""
        duration_s = sum(run.span.duration_s for run in passage)
        cursor = self._place(passage) if self.state.cursor is None else self.state.cursor
        self.state = replace(self.state, cursor=cursor)
        window = self._window(cursor, duration_s)
        matches, believed = self._hear(passage, window)
        found = _found_s(passage, believed)
        state = replace(self.state, n_wait=max(0, self.state.n_wait - 1))
        if found < FOUND_SHARE * duration_s and self.state.n_wait == 0 and self._tokens:
            start = self._search(passage)
            other = window if start is None else self._window(max(0, start - SPARE_WORDS), duration_s)
            if other.first != window.first:
                found_there = self._hear(passage, other)
                if _found_s(passage, found_there[1]) > found:
                    window, (matches, believed) = other, found_there
            n_lost = 0 if any(believed) else state.n_lost + 1
            state = replace(state, n_lost=n_lost, n_wait=2**n_lost - 1 if n_lost else 0)
        ends = [match.last for match, is_believed in zip(matches, believed, strict=True) if is_believed]
        self.state = replace(state, cursor=window.first + max(ends)) if ends else state
        return window, matches, believed

    def _place(self, passage: Sequence[Run]) -> int:
        """Where in the book a passage is, by its first speech; the beginning when that does not tell."""
        if len(self.words) <= SHORT_BOOK_WORDS:
            return 0
        length_s = itertools.accumulate(run.span.duration_s for run in passage)
        head = [run for run, until_s in zip(passage, length_s, strict=True) if until_s <= PLACE_BY_S]
        start = self._search(head or passage[:1])
        return max(0, start - SPARE_WORDS // 2) if start is not None else 0

    def _window(self, first: int, duration_s: float) -> _Window:
        last = first + int(duration_s * WORDS_PER_S) + SPARE_WORDS
        return _Window(first, self.words[first:last], self._tokens[first:last])

    def _hear(self, passage: Sequence[Run], window: _Window) -> tuple[list[Match], list[bool]]:
        if not window.tokens:
            return [Match(0, 0, 0.0, ()) for _ in passage], [False] * len(passage)
        decoder = self._recogniser.for_text(window.tokens, self._other_words(window))
        matches = match_in_order(window.tokens, [decoder.recognise(run.audio_16k) for run in passage])
        return matches, accepted(matches)

    def _other_words(self, window: _Window) -> set[str]:
        tokens = {self.text[word.start : word.end] for word in window.words}
        return {word for token in tokens for reading in other_readings(token) for word in reading}

    def _search(self, passage: Sequence[Run]) -> int | None:
        """Where in the book the passage's first word may be."""
        if self._whole is None or self._index is None:
            self._whole = self._recogniser.for_text(self._tokens)
            self._index = TextIndex(self._tokens)
        return self._index.find([word for run in passage for word in self._whole.recognise(run.audio_16k)])

    def _settled(
        self, passage: Sequence[Run], matches: list[Match], believed: Sequence[bool], window: _Window
    ) -> list[Match]:
        """Where two neighbours claim the same words, or leave a few to nobody, divide them as the sound says."""
        settled = list(matches)
        if believed and believed[0] and matches[0].first:
            settled[0] = self._with_faint_start(passage[0], matches[0], window)
        for k in range(len(passage) - 1):
            left, right = settled[k], settled[k + 1]
            if not (believed[k] and believed[k + 1]) or not 0 < abs(right.first - left.last) <= 4:
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

    def _with_faint_start(self, run: Run, match: Match, window: _Window) -> Match:
        """A match from some words earlier on, if the sound fits that better: a faint first word is easily missed."""
        starts = range(match.first, max(-1, match.first - 1 - MAX_FAINT_WORDS), -1)
        best = max(starts, key=lambda first: self._log_score(run, window.tokens[first : match.last]))
        return replace(match, first=best)

    def _log_score(self, run: Run, words: Sequence[str]) -> float:
        fit = self._recogniser.fit(run.audio_16k, words)
        return NOT_ALIGNED if fit is None else fit.log_score

    def _placed(self, run: Run, match: Match, window: _Window) -> PlacedRun | Refusal:
        words = window.words[match.first : match.last]
        text = " ".join(word.word for word in words)
        if not words:
            return _no_match(run, match)
        words, fit = self._best_reading(run, words)
        if fit is None:
            return Refusal(run.span, "not_aligned", "the words do not fit the sound", text)
        tokens = [word.word for word in words]
        n_different = Levenshtein.distance(match.heard, tokens)
        advantage = self._log_score(run, match.heard) - fit.log_score if n_different else 0.0
        if advantage > MAX_ADVANTAGE * n_different:
            detail = f"heard: {' '.join(match.heard)}; {n_different} words differ, and fit better by {advantage:.0f}"
            return Refusal(run.span, "words_differ", detail, text)
        untold_s = run.untold_s(fit.words)
        if untold_s > MAX_UNTOLD_S:
            return Refusal(run.span, "speech_not_in_text", f"{untold_s:.2f} s of speech beside the words", text)
        return PlacedRun(
            run.span,
            tuple(
                TimedWord(word.word, run.start_s + at.start_s, run.start_s + at.end_s, word.start, word.end)
                for word, at in zip(words, fit.words, strict=True)
            ),
        )

    def _best_reading(self, run: Run, words: list[SpokenWord]) -> tuple[list[SpokenWord], Fit | None]:
        """Of the ways to say the numbers and abbreviations among ``words``, the one that fits the sound best."""
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
class _Window:
    """The part of the book that a passage is looked for in; ``first`` counts the book's spoken words."""

    first: int
    words: list[SpokenWord]
    tokens: list[str]


def _found_s(passage: Sequence[Run], believed: Sequence[bool]) -> float:
    return sum(run.span.duration_s for run, is_believed in zip(passage, believed, strict=True) if is_believed)


def _no_match(run: Run, match: Match) -> Refusal:
    heard = " ".join(match.heard) or "nothing"
    return Refusal(run.span, "not_in_text", f"{match.share:.0%} of the words match; heard as: {heard}")
