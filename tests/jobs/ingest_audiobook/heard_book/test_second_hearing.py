"""Speech whose words are in doubt is heard again in another window, and kept if the book's words are heard then."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from jobs.asr.transcript import TranscribedSegment, TranscribedWord
from jobs.asr.whisper_scores import ScoredPart, ScoredText
from jobs.audio.clip_io import SPEECH_RATE_HZ
from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import PlacedRun, TimedWord
from jobs.ingest_audiobook.heard_book.placement import BookPlacer
from jobs.ingest_audiobook.heard_book.second_hearing import group_around, hear_again
from jobs.ingest_audiobook.heard_book.whisper_text import HeardText

WORD_S, GAP_S = 0.4, 0.4
RUNS = [
    "Das Zimmer war klein, aber sauber.",
    "Er stellte seinen Koffer langsam ab.",
    "Die Wirtin nickte freundlich.",
    "Nach einer Weile klopfte es laut an der Tür.",
    "Draußen wurde es langsam dunkel und kalt.",
]
BOOK = " ".join(RUNS)
MISHEARD = [*RUNS[:2], "Die wird den nickte freundlich.", *RUNS[3:]]


class HearsOtherwise:
    """Says the given runs at their times; a text other than the first one is improbable."""

    def __init__(self, runs: Sequence[str]) -> None:
        self.runs = runs
        self.windows: list[tuple[float, float]] = []

    def detect_language(self, samples_16k: npt.NDArray[np.float32]) -> tuple[str, float]:
        return "en", 1.0

    def transcribe_spans(
        self, samples_16k: npt.NDArray[np.float32], spans_s: Sequence[tuple[float, float]], language: str | None = None
    ) -> list[list[TranscribedSegment]]:
        """Say the runs within each span, times from its start."""
        self.windows += spans_s
        return [
            [
                _segment(run, start_s - first_s)
                for run, start_s in zip(self.runs, _starts(), strict=True)
                if first_s <= start_s and start_s + WORD_S <= last_s
            ]
            for first_s, last_s in spans_s
        ]

    def score(
        self, samples_16k: npt.NDArray[np.float32], texts: Sequence[Sequence[str]], language: str
    ) -> list[ScoredText | None]:
        """Find every other text 20 times less probable."""
        parts = [tuple(ScoredPart(0.0, 0.1, -0.1) for _ in text) for text in texts]
        return [ScoredText(each, 0.0 if number == 0 else -20.0) for number, each in enumerate(parts)]


def _segment(text: str, start_s: float) -> TranscribedSegment:
    words = text.split()
    times = [(start_s + k * WORD_S, start_s + (k + 1) * WORD_S) for k in range(len(words))]
    timed = tuple(TranscribedWord(word, *time, 0.9) for word, time in zip(words, times, strict=True))
    return TranscribedSegment(start_s, times[-1][1], text, -0.2, 0.01, 1.1, timed, "de")


def _starts() -> list[float]:
    lengths = [len(run.split()) * WORD_S + GAP_S for run in RUNS]
    return [0.5 + sum(lengths[:k]) for k in range(len(RUNS))]


def first_hearing(runs: Sequence[str]) -> HeardText:
    """What was heard in one window; the times of runs are those of ``RUNS``."""
    text, place, placed = " ".join(runs), 0, []
    for run, truth, start_s in zip(runs, RUNS, _starts(), strict=True):
        n_true, words = len(truth.split()), []
        step_s = n_true * WORD_S / len(run.split())
        for k, word in enumerate(run.split()):
            first = text.index(word, place)
            place = first + len(word)
            words.append(TimedWord(word, start_s + k * step_s, start_s + (k + 1) * step_s, first, place, 0.9))
        placed.append(PlacedRun(Span(start_s, start_s + n_true * WORD_S), tuple(words)))
    speech = tuple(run.span for run in placed)
    return HeardText(text, (), tuple(placed), speech, (), "de", (Span(0.0, speech[-1].end_s + 1),))


def texts_after(whisper: HearsOtherwise, heard: HeardText) -> tuple[list[str], list[str]]:
    """Return the texts of the runs that are kept, and the reasons of the others."""
    audio = np.zeros(int((heard.runs[-1].end_s + 1) * SPEECH_RATE_HZ), np.float32)
    placer = BookPlacer(BOOK, "de")
    placed, rejected = placer.place(heard, audio, whisper)
    placed, rejected = hear_again(heard, placed, rejected, audio, placer, whisper)
    texts = [BOOK[run.words[0].first_char : run.words[-1].last_char] for run in placed]
    return texts, [one.reason for one in rejected]


def test_words_that_are_heard_the_second_time_are_kept() -> None:
    whisper = HearsOtherwise(RUNS)

    texts, reasons = texts_after(whisper, first_hearing(MISHEARD))

    assert texts == [run.rstrip(".") for run in RUNS]
    assert reasons == []
    assert len(whisper.windows) == 1
    assert whisper.windows[0][1] - whisper.windows[0][0] < 12.0


def test_words_that_are_misheard_twice_are_not_kept() -> None:
    texts, reasons = texts_after(HearsOtherwise(MISHEARD), first_hearing(MISHEARD))

    assert RUNS[2].rstrip(".") not in texts
    assert "words_differ" in reasons


def test_another_text_is_not_heard_twice() -> None:
    heard = first_hearing([MISHEARD[2], RUNS[1], MISHEARD[2], "Nach keiner Weile klopfte es laut an dem Tor.", "Oh."])
    whisper = HearsOtherwise(RUNS)

    texts_after(whisper, heard)

    assert whisper.windows == []


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([2], [range(1, 4)]),
        ([0], [range(3)]),
        ([4], [range(3, 6)]),
        ([1, 3], [range(5)]),
        ([0, 5], [range(3), range(3, 6)]),
    ],
)
def test_a_window_has_context_on_both_sides(places: list[int], expected: list[range]) -> None:
    runs = [Span(k * 4.0, k * 4.0 + 3.5) for k in range(6)]

    assert group_around(runs, places) == expected
