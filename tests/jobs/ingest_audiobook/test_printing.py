"""The real thing: a narrator's recording (LJ Speech) whose utterances are known to the millisecond."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.asr.pocketsphinx_asr import Recogniser
from jobs.audio.clip_io import SPEECH_RATE_HZ, read_clip
from jobs.ingest_audiobook.params import Params, Result
from jobs.ingest_audiobook.work import run
from jobs.text.english_normalization import SpokenWord, spoken_map, spoken_words
from tests.jobs.ingest_audiobook.conftest import PRINTING
from tests.support.shared_work import do_once

MAX_DIFFERENCE_S = 0.35  # the aligner may stretch a word over the pause before it
FOREIGN = (
    "it was then that the lights went out and somebody screamed every person in the court leaned forward to hear "
    "what he would say by the time the candles were lit the prisoner had vanished through the open window"
)


@dataclass(frozen=True)
class TrueWord:
    """A written word of the recording and when it is spoken, from a forced alignment of its known utterance.

    ``middle_s`` is that of its sound: the aligner may stretch a word over the silence before it.
    """

    word: str
    start_s: float
    end_s: float
    middle_s: float
    utterance: int


@dataclass(frozen=True)
class Figures:
    """What came of an ingest, against the truth."""

    n_true: int
    n_placed: int
    differences_s: np.ndarray
    wrong_texts: list[tuple[str, str]]


def written_tokens(words: list[SpokenWord], text: str) -> list[tuple[str, int, int]]:
    """(letters of the writing, first spoken word, last spoken word) of each written word."""
    tokens: list[tuple[str, int, int]] = []
    for number, word in enumerate(words):
        if tokens and word.start == words[tokens[-1][1]].start:
            tokens[-1] = (tokens[-1][0], tokens[-1][1], number + 1)
        else:
            letters = "".join(c for c in text[word.start : word.end].lower() if c.isalnum())
            tokens.append((letters, number, number + 1))
    return tokens


def said(recogniser: Recogniser, audio: np.ndarray, text: str) -> tuple[list[SpokenWord], list[Any]]:
    """Align a text in which ``i.e.`` may be read as letters, as this narrator does."""
    letters = [text.replace("i.e.", "i e ")] if "i.e." in text else []  # as long as the writing, so spans hold
    readings = [spoken_map(each) for each in [text, *letters]]
    for words in readings[1:]:
        at = next(k for k, word in enumerate(words) if word.word == "i" and words[k + 1].word == "e")
        span = (words[at].start, words[at].start + 4)
        words[at : at + 2] = [SpokenWord("i", *span), SpokenWord("e", *span)]
    if len(readings) == 1:
        best = readings[0]
    else:
        scores = [recogniser.forced_score(audio, [word.word for word in words]) or -1e9 for words in readings]
        best = readings[int(np.argmax(scores))]
    found = recogniser.align(audio, [word.word for word in best])
    assert found is not None
    return best, found


@pytest.fixture(scope="session")
def truth(tmp_path_factory: pytest.TempPathFactory) -> list[TrueWord]:
    """All words of the recording."""
    return do_once(tmp_path_factory, "words of printing", lambda _: true_words(PRINTING))[1]


def true_words(printing: Path) -> list[TrueWord]:
    recogniser = Recogniser()
    samples = read_clip(printing / "book.m4b", SPEECH_RATE_HZ)
    truth: list[TrueWord] = []
    for number, line in enumerate((printing / "utterances.jsonl").read_text().splitlines()):
        row = json.loads(line)
        start = row["start"] - 0.2
        audio = samples[int(start * SPEECH_RATE_HZ) : int((row["end"] + 0.2) * SPEECH_RATE_HZ)]
        words, found = said(recogniser, audio, row["text"])
        for letters, first, last in written_tokens(words, row["text"]):
            times = (start + found[first].start_s, start + found[last - 1].end_s)
            truth.append(TrueWord(letters, *times, middle_of_sound(samples, *times), number))
    return truth


def middle_of_sound(samples: np.ndarray, start_s: float, end_s: float) -> float:
    """Middle of the part of a word that is within 35 dB of the recording's loud parts, by 10 ms."""
    step = SPEECH_RATE_HZ // 100
    loud = 10 ** (-35 / 10) * np.percentile(
        np.square(samples[: len(samples) // step * step]).reshape(-1, step).mean(1), 95
    )
    first = int(start_s * 100)
    power = [np.mean(np.square(samples[k * step : (k + 1) * step])) for k in range(first, int(end_s * 100))]
    sounding = np.flatnonzero(np.array(power) > loud)
    return (first + (sounding[0] + sounding[-1] + 1) / 2) / 100 if len(sounding) else (start_s + end_s) / 2


def compare(dataset: Path, truth: list[TrueWord], recogniser: Recogniser) -> Figures:
    """Align every clip anew, as ``align`` does, and hold its words against the truth inside its span."""
    differences: list[float] = []
    wrong: list[tuple[str, str]] = []
    n_placed = 0
    for line in (dataset / "train_manifest.jsonl").read_text().splitlines():
        row = json.loads(line)
        start, end = row["source"]["start_s"], row["source"]["end_s"]
        words, found = said(recogniser, read_clip(dataset / row["audio"], SPEECH_RATE_HZ), row["text"])
        tokens = written_tokens(words, row["text"])
        inside = [word for word in truth if start <= word.middle_s <= end]
        if [letters for letters, _, _ in tokens] != [word.word for word in inside]:
            wrong.append((row["text"], " ".join(word.word for word in inside)))
            continue
        n_placed += len(tokens)
        for (_, first, last), word in zip(tokens, inside, strict=True):
            differences.append(abs(start + found[first].start_s - word.start_s))
            differences.append(abs(start + found[last - 1].end_s - word.end_s))
    return Figures(len(truth), n_placed, np.array(differences), wrong)


def test_nineteen_words_in_twenty_are_placed_and_every_text_is_what_is_spoken(
    ingested_printing: tuple[Path, Result], truth: list[TrueWord], capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, result = ingested_printing

    figures = compare(dataset, truth, Recogniser())

    with capsys.disabled():
        sys.stdout.write(
            f"\n  printing: {figures.n_placed} of {figures.n_true} written words placed in {result.n_clips} clips, "
            f"{result.kept_s:.1f} of {result.recording_s:.1f} s; off by {figures.differences_s.mean() * 1000:.0f} ms "
            f"on average, {figures.differences_s.max() * 1000:.0f} ms at most; "
            f"{len(figures.wrong_texts)} wrong texts; not kept: {result.rejected_by_reason_s}\n"
        )
    assert figures.wrong_texts == []
    assert figures.n_placed >= 0.95 * figures.n_true
    assert figures.differences_s.max() <= MAX_DIFFERENCE_S
    assert result.n_words_placed is not None
    assert result.n_words_book == len(spoken_words((PRINTING / "book.txt").read_text()))
    assert round(result.kept_s * 24_000) + round(result.rejected_s * 24_000) == round(result.recording_s * 24_000)


def test_speech_that_the_text_lacks_is_never_kept(
    printing: Path,
    truth: list[TrueWord],
    tmp_path: Path,
    make_context: Callable[[], Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [json.loads(line) for line in (printing / "utterances.jsonl").read_text().splitlines()]
    lines = [row["text"] for number, row in enumerate(rows) if number % 4 != 1]
    lines.insert(2, FOREIGN)
    (tmp_path / "wrong.txt").write_text("\n".join(lines))
    params = Params(
        audio=str(printing / "book.m4b"),
        text=str(tmp_path / "wrong.txt"),
        voice="lj",
        out_dir=str(tmp_path / "lj"),
        quality={"dnsmos": "off"},
    )

    result = run(params, make_context())

    figures = compare(tmp_path / "lj", truth, Recogniser())
    spans = [
        (row["source"]["start_s"], row["source"]["end_s"])
        for row in map(json.loads, (tmp_path / "lj" / "train_manifest.jsonl").read_text().splitlines())
    ]
    unprinted = [word for word in truth if word.utterance % 4 == 1]
    kept = [word for word in unprinted if any(a <= word.middle_s <= b for a, b in spans)]
    n_printed = len(truth) - len(unprinted)
    with capsys.disabled():
        sys.stdout.write(
            f"\n  wrong text: {len(kept)} of {len(unprinted)} unprinted words kept; {figures.n_placed} of {n_printed} "
            f"printed ones placed, off by {figures.differences_s.max() * 1000:.0f} ms at most; "
            f"not kept: {result.rejected_by_reason_s}\n"
        )
    assert kept == []
    assert figures.wrong_texts == []
    assert figures.differences_s.max() <= MAX_DIFFERENCE_S
    assert figures.n_placed >= 0.85 * n_printed
