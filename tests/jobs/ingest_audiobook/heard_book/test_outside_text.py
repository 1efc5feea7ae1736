"""Speech that the book lacks: rejected, or kept in the words that Whisper heard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from jobs.asr.transcript import TranscribedSegment, TranscribedWord
from jobs.asr.whisper_scores import ScoredText
from jobs.audio.vad_segments import FRAME_S, Span
from jobs.books.text_decoding import BookText
from jobs.ingest_audiobook.cut.clip_candidates import ClipLimits
from jobs.ingest_audiobook.input.speech_chunks import SpeechChunk
from jobs.ingest_audiobook.text.text_sources import HeardBookTranscript

BOOK = "The old clock struck ten in the tower. Nobody came to the door that night."
ADDED = "This chapter was read for you by a friend."
LIMITS = ClipLimits(2.0, 8.0, 15.0, 1.5)


class Whisper:
    """Hears the book's first sentence, one that the book lacks, and the book's second."""

    model = "toy"

    def __init__(self, pause_s: float) -> None:
        self.runs: list[tuple[str, float, float]] = []
        at_s = 1.0
        for text in (*BOOK.split(". ")[:1], ADDED, BOOK.split(". ")[1]):
            length_s = 0.4 * len(text.split())
            self.runs.append((text.rstrip(".") + ".", at_s, at_s + length_s))
            at_s += length_s + pause_s

    def detect_language(self, samples_16k: npt.NDArray[np.float32]) -> tuple[str, float]:
        return "en", 1.0

    def transcribe_spans(
        self, samples_16k: npt.NDArray[np.float32], spans_s: Sequence[tuple[float, float]], language: str | None = None
    ) -> list[list[TranscribedSegment]]:
        """Return all in the one window."""
        assert len(spans_s) == 1
        return [[self._segment(text, start - spans_s[0][0], end - spans_s[0][0]) for text, start, end in self.runs]]

    def _segment(self, text: str, start_s: float, end_s: float) -> TranscribedSegment:
        words = tuple(
            TranscribedWord(word, start_s + 0.4 * k, start_s + 0.4 * k + 0.4, 0.9)
            for k, word in enumerate(text.split())
        )
        return TranscribedSegment(start_s, end_s, text, -0.2, 0.01, 1.1, words)

    def score(
        self, samples_16k: npt.NDArray[np.float32], texts: Sequence[Sequence[str]], language: str
    ) -> list[ScoredText | None]:
        """Find the first text, which was heard, by far the most probable."""
        return [ScoredText((), 0.0 if k == 0 else -50.0) for k in range(len(texts))]


@pytest.mark.parametrize(
    ("keeps", "pause_s", "kept"),
    [
        (False, 1.2, [(0, "book"), (2, "book")]),
        (True, 1.2, [(0, "book"), (1, "asr"), (2, "book")]),
        (True, 0.4, [(0, "book"), (2, "book")]),  # a word beside so short a pause may belong to either
    ],
)
def test_words_of_whisper_are_kept_only_if_asked_and_well_apart_from_the_books(
    keeps: bool, pause_s: float, kept: list[tuple[int, str]]
) -> None:
    whisper = Whisper(pause_s)
    probabilities = np.zeros(round(20.0 / FRAME_S), np.float32)
    for _, start_s, end_s in whisper.runs:
        probabilities[round(start_s / FRAME_S) : round(end_s / FRAME_S)] = 0.9
    chunk = SpeechChunk(1, 0, np.zeros(480_000, np.float32), np.zeros(320_000, np.float32), probabilities)
    transcript = HeardBookTranscript(BookText(BOOK), whisper, "english", keeps_other_speech=keeps)

    found = transcript.find_candidates(chunk, LIMITS, Span(0.0, 20.0))

    by_time = sorted(found.kept, key=lambda candidate: candidate.span.start_s)
    assert [(candidate.text, candidate.origin) for candidate in by_time] == [
        (whisper.runs[k][0], origin) for k, origin in kept
    ]
    assert sum(candidate.n_words for candidate in found.kept) == 15
    assert [(sentence.text, sentence.origin) for sentence in found.sentences] == [
        (whisper.runs[k][0], origin) for k, origin in kept
    ]
    assert ("not_in_text" in [one.reason for one in found.rejected]) == (len(kept) == 2)
