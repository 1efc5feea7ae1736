"""A narrator followed through a text that is longer than, and in another order than, what is read."""

from __future__ import annotations

import random

import numpy as np
import pytest

from jobs.asr.pocketsphinx_asr import Recogniser
from jobs.asr.silero_vad import StreamVad, speech_probabilities
from jobs.audio.clip_io import SPEECH_RATE_HZ, read_clip
from jobs.audio.vad_segments import speech_spans
from jobs.ingest_audiobook.text.book_aligner import BookAligner, BookPosition
from jobs.settings import PROJECT_ROOT
from jobs.text.english_normalization import spoken_words

BORDER_S = 30.4  # between the sample's chapters
WORDS = "stone river window morning paper candle silver market winter letter shoulder yellow engine"
FILLER = WORDS.split()


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


@pytest.fixture(scope="module")
def chapters() -> list[tuple[np.ndarray, np.ndarray]]:
    """Samples at 16 kHz and speech probabilities of the sample's two chapters."""
    samples = read_clip(PROJECT_ROOT / "samples" / "fables.m4b", SPEECH_RATE_HZ)
    parts = np.split(samples, [int(BORDER_S * SPEECH_RATE_HZ)])
    return [(part, speech_probabilities(StreamVad(), part)) for part in parts]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return (PROJECT_ROOT / "samples" / "fables.txt").read_text().split("\n\n")


def place(aligner: BookAligner, chapter: tuple[np.ndarray, np.ndarray]) -> tuple[list[str], list[str]]:
    """The texts that were placed, and the reasons of rejections."""
    runs = speech_spans(chapter[1], max_span_s=25)
    placed, rejected = aligner.align(*chapter, runs)
    assert len(placed) + len(rejected) == len(runs)
    return [" ".join(word.word for word in run.words) for run in placed], [span.reason for span in rejected]


def filler(n_words: int, seed: int) -> str:
    return " ".join(random.Random(seed).choices(FILLER, k=n_words))


def test_every_sentence_is_placed_and_the_cursor_follows(recogniser, chapters, texts) -> None:
    aligner = BookAligner("\n".join(texts), recogniser)

    first, rejected = place(aligner, chapters[0])

    assert rejected == []
    assert " ".join(first).startswith("a thirsty crow found a tall pitcher in the garden there was only")
    assert aligner.position == BookPosition(cursor=len(spoken_words(texts[0])), n_lost=0, n_wait=0)


def test_chapters_in_another_order_behind_unspoken_text_are_found_by_their_speech(recogniser, chapters, texts) -> None:
    book = "\n".join([filler(2000, 1), texts[1], filler(1500, 2), texts[0], filler(500, 3)])
    aligner = BookAligner(book, recogniser)

    first, first_rejected = place(aligner, chapters[0])
    second, second_rejected = place(aligner, chapters[1])

    assert len(first) >= 7
    assert len(second) >= 9
    assert len(first_rejected + second_rejected) <= 2
    assert 2000 <= aligner.position.cursor < 2200


def test_a_sentence_that_the_text_lacks_is_rejected_and_the_others_kept(recogniser, chapters, texts) -> None:
    lines = texts[0].splitlines()
    aligner = BookAligner("\n".join(lines[:3] + lines[4:]), recogniser)

    placed, rejected = place(aligner, chapters[0])

    assert len(placed) == 7
    assert len(rejected) == 1
    assert not any("jar" in text for text in placed)


@pytest.mark.parametrize(
    ("printed", "written"),
    [
        ("a tall pitcher", "a tall silver pitcher"),
        ("dropped every pebble", "dropped a pebble"),
        ("small round", "round"),
    ],
)
def test_a_sentence_with_one_other_word_is_rejected(recogniser, chapters, texts, printed: str, written: str) -> None:
    aligner = BookAligner(texts[0].replace(printed, written), recogniser)

    placed, rejected = place(aligner, chapters[0])

    assert (len(placed), len(rejected)) == (7, 1)


def test_another_book_is_searched_ever_more_rarely(recogniser, chapters) -> None:
    aligner = BookAligner(filler(3000, 4), recogniser)
    states = []
    for _ in range(4):
        assert place(aligner, chapters[0])[0] == []
        states.append((aligner.position.n_lost, aligner.position.n_wait))

    assert states == [(1, 1), (1, 0), (2, 3), (2, 2)]


def test_numbers_are_placed_as_the_narrator_says_them(recogniser, chapters, texts) -> None:
    aligner = BookAligner(texts[0].replace("One by one", "1 by 1"), recogniser)

    placed, rejected = place(aligner, chapters[0])

    assert rejected == []
    assert any(text.startswith("one by one she") for text in placed)
