"""The book's words are placed in speech where they were said, whatever Whisper heard; other speech is left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from rapidfuzz.distance import Levenshtein

from jobs.asr.whisper_scores import ScoredPart, ScoredText
from jobs.audio.clip_io import SPEECH_RATE_HZ
from jobs.audio.vad_segments import Span
from jobs.ingest_audiobook.cut.clip_candidates import PlacedRun, RejectedSpan, TimedWord
from jobs.ingest_audiobook.heard_book.matching import letters
from jobs.ingest_audiobook.heard_book.placement import BookPlacer
from jobs.ingest_audiobook.heard_book.whisper_text import HeardText

WORD_S = 0.4
GAP_S = 0.4
BEFORE = "Das Zimmer war klein, aber sauber. Er stellte seinen Koffer ab."
AFTER = "Nach einer Weile klopfte es an der Tür. Draußen wurde es dunkel."


class Listener:
    """Knows what was said and when; a text is the less probable the more of its words are others."""

    def __init__(self, runs: Sequence[Sequence[str]]) -> None:
        self.n_texts = 0
        self._said: list[tuple[float, str]] = []
        at = 0.0
        for run in runs:
            for word in run:
                self._said.append((at + WORD_S / 2, letters(word)))
                at += WORD_S
            at += GAP_S

    def score(
        self, samples_16k: npt.NDArray[np.float32], texts: Sequence[Sequence[str]], language: str
    ) -> list[ScoredText | None]:
        """Score by words: the samples are their own times."""
        self.n_texts += len(texts)
        first, last = samples_16k[0], samples_16k[-1]
        said = [word for at, word in self._said if first <= at <= last]
        found: list[ScoredText | None] = []
        for parts in texts:
            words = [letters(word) for part in parts for word in part.split()]
            step = (last - first) / max(1, len(parts))
            scored = tuple(ScoredPart(k * step, (k + 1) * step, -0.1) for k in range(len(parts)))
            found.append(ScoredText(scored, -6.0 * Levenshtein.distance(said, words)))
        return found


def hear(runs: Sequence[str], language: str = "de") -> tuple[HeardText, npt.NDArray[np.float32]]:
    """What Whisper wrote for each run of speech, and audio whose samples are their times in seconds."""
    text = " ".join(runs)
    placed: list[PlacedRun] = []
    at, place = 0.0, 0
    for run in runs:
        words = []
        for word in run.split():
            first = text.index(word, place)
            place = first + len(word)
            words.append(TimedWord(word, at, at + WORD_S, first, place))
            at += WORD_S
        placed.append(PlacedRun(Span(words[0].start_s, words[-1].end_s), tuple(words)))
        at += GAP_S
    speech = tuple(run.span for run in placed)
    audio = np.arange(int((at + 1) * SPEECH_RATE_HZ), dtype=np.float32) / np.float32(SPEECH_RATE_HZ)
    return HeardText(text, (), tuple(placed), speech, (), language, (Span(0.0, at + 1),)), audio


def place(
    book: str, heard: Sequence[str], said: Sequence[str] | None = None, language: str = "de"
) -> tuple[list[str], list[RejectedSpan], Listener]:
    """Return the text of each run that was placed, the rejected ones, and who listened."""
    found, audio = hear(heard, language)
    listener = Listener([run.split() for run in said or heard])
    placed, rejected = BookPlacer(book, language).place(found, audio, listener)
    texts = [book[run.words[0].first_char : run.words[-1].last_char] for run in placed]
    return texts, rejected, listener


def test_numbers_and_abbreviations_are_placed_as_the_book_writes_them_without_another_look() -> None:
    book = f"{BEFORE} Er hatte 25 Bücher dabei, z. B. ein altes Wörterbuch. {AFTER}"

    texts, rejected, listener = place(
        book, [BEFORE, "Er hatte fünfundzwanzig Bücher dabei,", "zum Beispiel ein altes Wörterbuch.", AFTER]
    )

    assert texts[1:3] == ["Er hatte 25 Bücher dabei", "z. B. ein altes Wörterbuch"]
    assert rejected == []
    assert listener.n_texts == 0


def test_a_misheard_word_is_the_books_where_the_audio_fits_it_as_well() -> None:
    book = f"{BEFORE} Die Wirtin nickte freundlich. {AFTER}"
    heard = [BEFORE, "Die wird den nickte freundlich.", AFTER]

    texts, rejected, _ = place(book, heard, [BEFORE, "Die Wirtin nickte freundlich", AFTER])

    assert texts[1] == "Die Wirtin nickte freundlich"
    assert rejected == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Die Wirtin nickte freundlich.", "Die Wirtin lachte freundlich."),
        ("Die Wirtin nickte freundlich.", "Die Wirtin nickte sehr freundlich."),
        ("Die Wirtin nickte sehr freundlich.", "Die Wirtin nickte freundlich."),
        ("Die Wirtin nickte freundlich.", "Die Wirtin nickte freundlich und ging dann ohne ein Wort wieder hinaus."),
    ],
)
def test_a_run_with_another_word_is_rejected_and_its_neighbours_are_kept(written: str, said: str) -> None:
    texts, rejected, _ = place(f"{BEFORE} {written} {AFTER}", [BEFORE, said, AFTER])

    assert [letters(text) for text in texts] == [letters(BEFORE), letters(AFTER)]
    assert [one.reason for one in rejected] in (["words_differ"], ["not_in_text"])
    assert rejected[0].detail.startswith("recognised: ")


def test_a_heading_that_nobody_reads_divides_speech_but_costs_none() -> None:
    texts, rejected, _ = place(f"{BEFORE}\n\nKapitel 2\n\n{AFTER}", [BEFORE, AFTER])

    assert [letters(text) for text in texts] == [letters(BEFORE), letters(AFTER)]
    assert rejected == []


def test_a_note_that_nobody_reads_within_a_run_rejects_it() -> None:
    texts, rejected, _ = place(f"{BEFORE} {AFTER[:20]} Anmerkung des Herausgebers. {AFTER[20:]}", [BEFORE, AFTER])

    assert [letters(text) for text in texts] == [letters(BEFORE)]
    assert len(rejected) == 1


def test_a_word_that_whisper_puts_on_the_wrong_side_of_a_pause_is_put_right() -> None:
    book = f"{BEFORE} Dann ging er lange spazieren. {AFTER}"
    heard = [f"{BEFORE} Dann", "ging er kurz spazieren.", AFTER]

    texts, rejected, _ = place(book, heard, [BEFORE, "Dann ging er kurz spazieren.", AFTER])

    assert [letters(text) for text in texts] == [letters(BEFORE), letters(AFTER)]
    assert [one.reason for one in rejected] == ["words_differ"]


def test_speech_of_another_book_is_rejected() -> None:
    texts, rejected, listener = place(
        " ".join([BEFORE, AFTER] * 20), ["Il était une fois un bûcheron", "et sept enfants"]
    )

    assert texts == []
    assert [one.reason for one in rejected] == ["not_in_text", "not_in_text"]
    assert listener.n_texts == 0


def test_speech_with_too_few_words_is_rejected() -> None:
    heard, audio = hear([BEFORE, AFTER])
    slow = PlacedRun(Span(heard.placed[1].span.start_s, heard.placed[1].span.end_s + 20), heard.placed[1].words)
    heard = HeardText(
        heard.text, (), (heard.placed[0], slow), (heard.runs[0], slow.span), (), "de", (Span(0.0, slow.span.end_s),)
    )

    placed, rejected = BookPlacer(f"{BEFORE} {AFTER}", "de").place(heard, audio, Listener([]))

    assert [one.reason for one in rejected][-1] == "speech_not_in_text"
    assert len(placed) <= 1
