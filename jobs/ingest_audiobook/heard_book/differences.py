"""Judgement of words that Whisper heard otherwise than the book has them: are the book's words what is said?

They are when both sound the same, or when Whisper finds the book's words, in the place of its own, about as probable
for that audio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from jobs.asr.transcript import WITHOUT_SPACES
from jobs.asr.whisper_scores import ScoredText
from jobs.audio.clip_io import SPEECH_RATE_HZ, Samples
from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import TimedWord
from jobs.ingest_audiobook.heard_book.matching import BookWords, Difference, letters
from jobs.ingest_audiobook.heard_book.whisper_text import HeardText
from jobs.text.sounds import Likeness, is_like_phrase, likeness

# Natural logs, by which the book's words may be less probable than those heard. Own measurement with Whisper base on
# five minutes of narration in en, de, fr and es (2026): of 398 small wrong readings (another small or near-sounding
# word, one more, one less) one loses less than 2.7: 2.1. Right words that Whisper heard as other sounds: half of 10.
MAX_LOSS = 1.8
MAX_LOSS_IF_NEAR = 9.0  # of words that nearly sound the same: right ones lose up to 8.2
DOUBT_SHARE, MOST_DOUBT = 0.5, 2.0  # of what the words heard lack themselves: Whisper was not sure of them
MIN_LOSS_IF_UNSAID = 5.0  # of a word of the book between two runs of speech: surely not said; else not sure
MAX_EXTRA_WORDS = 2  # that Whisper may have heard where nothing was said


class Scorer(Protocol):
    """The part of ``jobs.asr.whisper.Transcriber`` that compares texts by their audio."""

    def score(
        self, samples_16k: npt.NDArray[np.float32], texts: Sequence[Sequence[str]], language: str
    ) -> list[ScoredText | None]:
        """Return the scores of texts, each in parts; see ``jobs.asr.whisper_scores.score_texts``."""
        ...


@dataclass(frozen=True)
class Verdict:
    """Judgement of a difference: is it the book's words that were said? ``words`` are these with their times."""

    is_book: bool
    words: tuple[TimedWord, ...] = ()
    detail: str = ""
    is_surely_unsaid: bool = False


@dataclass(frozen=True)
class Doubt:
    """A time in which words were said that are not the book's."""

    start_s: float
    end_s: float
    reason: str
    detail: str


class DifferenceJudge:
    """Judges the differences of a chunk, window by window."""

    def __init__(
        self, book: BookWords, heard: HeardText, units: Sequence[TimedWord], audio_16k: Samples, scorer: Scorer
    ) -> None:
        self._book, self._heard, self._units = book, heard, units
        self._audio, self._scorer = audio_16k, scorer

    def judge(self, differences: Sequence[Difference]) -> list[Verdict]:
        """Judge differences, in their order; those that need Whisper are scored together for each window."""
        verdicts: dict[int, Verdict] = {}
        of_window: dict[int, list[int]] = {}
        for number, difference in enumerate(differences):
            if difference.is_other_text or (len(difference.heard) > MAX_EXTRA_WORDS and not difference.book):
                verdicts[number] = self._not_in_text(difference)
            elif self._likeness(difference) == "same":
                verdicts[number] = Verdict(True, self._spread(difference))
            else:
                of_window.setdefault(self._window_of(difference), []).append(number)
        for window, numbers in of_window.items():
            verdicts.update(self._score(window, {number: differences[number] for number in numbers}))
        return [verdicts[number] for number in range(len(differences))]

    def _not_in_text(self, difference: Difference) -> Verdict:
        if not difference.heard:
            return Verdict(False, is_surely_unsaid=True, detail="not said")
        return Verdict(False, detail=f"recognised: {self._recognised(difference.heard)}")

    def _likeness(self, difference: Difference) -> Likeness:
        """Compare the sound of both sides, by themselves and with the words around."""
        if not difference.heard or not difference.book:
            return "other"
        language = self._book.language
        ours, theirs = self._recognised(difference.heard), self._book.with_marks(difference.book)
        if letters(ours) == letters(theirs):
            return "same"
        before = self._book.with_marks(range(max(0, difference.book.start - 1), difference.book.start))
        after = self._book.with_marks(range(difference.book.stop, min(len(self._book.words), difference.book.stop + 1)))
        heard, book = (self._book.space.join(filter(None, (before, text, after))) for text in (ours, theirs))
        found = {likeness(ours, theirs, language), likeness(heard, book, language)}
        if is_like_phrase(ours, theirs, language):
            found.add("near")
        return min(found, key=("same", "near", "other").index)

    def _score(self, window: int, differences: dict[int, Difference]) -> dict[int, Verdict]:
        """Judge differences of a window by the probability of the book's words in the place of those heard."""
        span = self._heard.windows[window]
        places = [
            k for k, unit in enumerate(self._units) if span.start_s <= (unit.start_s + unit.end_s) / 2 < span.end_s
        ]
        if not places:
            return {number: self._not_in_text(each) for number, each in differences.items()}
        own = range(places[0], places[-1] + 1)
        texts = [self._parts(own, None), *(self._parts(own, each) for each in differences.values())]
        audio = self._audio[round(span.start_s * SPEECH_RATE_HZ) : round(span.end_s * SPEECH_RATE_HZ)]
        heard, *scored = self._scorer.score(audio, texts, self._book.language)
        return {
            number: self._verdict(difference, own, heard, other, span.start_s)
            for (number, difference), other in zip(differences.items(), scored, strict=True)
        }

    def _parts(self, own: range, difference: Difference | None) -> list[str]:
        """Return the text of a window in parts: a word heard each, or those of the book in a difference's place."""
        if difference is None:
            return [self._as_heard(k) for k in own]
        first, end = (min(max(k, own.start), own.stop) for k in (difference.heard.start, difference.heard.stop))
        mark = self._mark_after(end - 1) if difference.heard else ""
        book = [self._book.written(range(k, k + 1)) for k in difference.book]
        if book:
            book[-1] += mark
        return [*map(self._as_heard, range(own.start, first)), *book, *map(self._as_heard, range(end, own.stop))]

    def _verdict(
        self, difference: Difference, own: range, heard: ScoredText | None, other: ScoredText | None, offset_s: float
    ) -> Verdict:
        if heard is None or other is None:
            return self._not_in_text(difference)
        loss = heard.log_probability - other.log_probability
        first = difference.heard.start - own.start
        doubt = -sum(part.log_probability for part in heard.parts[max(0, first) : first + len(difference.heard)])
        limit = MAX_LOSS + min(DOUBT_SHARE * doubt, MOST_DOUBT)
        ours, theirs = self._recognised(difference.heard), self._book.written(difference.book)
        if self._likeness(difference) == "near":
            limit = max(limit, MAX_LOSS_IF_NEAR)
        if loss > limit:
            detail = f"recognised: {ours or 'nothing'} where the text has: {theirs or 'nothing'}"
            return Verdict(False, (), detail, not difference.heard and loss > MIN_LOSS_IF_UNSAID)
        parts = other.parts[max(0, first) : max(0, first) + len(difference.book)]
        words = [self._book.words[at] for at in difference.book]
        return Verdict(
            True,
            tuple(
                TimedWord(
                    word.word,
                    offset_s + part.start_s,
                    offset_s + part.end_s,
                    word.start,
                    word.end,
                    math.exp(part.log_probability),
                )
                for word, part in zip(words, parts, strict=True)
            ),
        )

    def _spread(self, difference: Difference) -> tuple[TimedWord, ...]:
        """Return the book's words with the time of those heard, by their letters."""
        words = [self._book.words[at] for at in difference.book]
        ours = [self._units[k] for k in difference.heard]
        ends = np.cumsum([0, *(len(word.word) for word in words)]) / sum(len(word.word) for word in words)
        scale = np.cumsum([0, *(max(1, len(unit.word)) for unit in ours)])
        times = [ours[0].start_s, *(unit.end_s for unit in ours)]
        at = np.interp(ends, scale / scale[-1], times)
        return tuple(
            TimedWord(word.word, float(start), float(end), word.start, word.end)
            for word, start, end in zip(words, at, at[1:], strict=False)
        )

    def doubtful_spans(self, difference: Difference, verdict: Verdict) -> list[Doubt]:
        """Return the time of a difference that is not the book's, with the reason.

        A word that was surely not said between two runs of speech leaves both as they are.
        """
        reason = "not_in_text" if difference.is_other_text or not difference.book else "words_differ"
        if difference.heard:
            units = [self._units[k] for k in difference.heard]
            return [Doubt(units[0].start_s, units[-1].end_s, reason, verdict.detail)]
        around = [
            self._units[k] for k in (difference.heard.start - 1, difference.heard.start) if 0 <= k < len(self._units)
        ]
        runs = {self._run_of(unit) for unit in around}
        if verdict.is_surely_unsaid and len(runs) > 1:
            return []
        return [Doubt(unit.start_s, unit.end_s, "words_differ", verdict.detail) for unit in around]

    def score_edge(self, span: Span, choices: Sequence[Sequence[TimedWord]]) -> list[float | None]:
        """Return the log probability of words, each list as a sentence, for a span of audio."""
        end = "。" if self._book.language in WITHOUT_SPACES else "."
        texts = [
            [self._book.space.join(self._book.text[word.first_char : word.last_char] for word in words) + end]
            for words in choices
        ]
        audio = self._audio[round(span.start_s * SPEECH_RATE_HZ) : round(span.end_s * SPEECH_RATE_HZ)]
        found = self._scorer.score(audio, texts, self._book.language)
        return [None if each is None else each.log_probability for each in found]

    def _run_of(self, unit: TimedWord) -> int:
        middle = (unit.start_s + unit.end_s) / 2
        return next((k for k, run in enumerate(self._heard.runs) if run.start_s <= middle <= run.end_s), -1)

    def _window_of(self, difference: Difference) -> int:
        k = min(difference.heard.start, len(self._units) - 1)
        middle = (self._units[k].start_s + self._units[k].end_s) / 2
        windows = self._heard.windows
        return next((n for n, span in enumerate(windows) if middle < span.end_s), len(windows) - 1)

    def _recognised(self, places: range) -> str:
        return self._book.space.join(self._units[k].word for k in places)

    def _as_heard(self, k: int) -> str:
        return self._units[k].word + self._mark_after(k)

    def _mark_after(self, k: int) -> str:
        last = self._units[k].last_char
        following = self._heard.text[last : last + 1]
        return following if following in tuple(",.;:!?…。，、？！") else ""
