"""The committed sample audiobook is what its README says."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def test_the_sample_has_tags_two_titled_chapters_and_a_cover() -> None:
    with av.open(str(SAMPLES / "fables.m4b")) as book:
        tags = book.metadata
        chapters = book.chapters()
        cover = next(book.decode(video=0)).to_ndarray(format="rgb24")

    assert (tags["title"], tags["artist"]) == ("Two Fables", "after Aesop")
    assert [chapter["metadata"]["title"] for chapter in chapters] == [
        "The Crow and the Pitcher",
        "The Lion and the Mouse",
    ]
    assert chapters[0]["start"] == 0
    assert chapters[0]["end"] == chapters[1]["start"]
    assert cover.shape == (300, 300, 3)
    assert len(np.unique(cover.reshape(-1, 3), axis=0)) > 4


def test_the_sample_is_a_minute_of_speech_at_the_toy_codecs_level() -> None:
    with av.open(str(SAMPLES / "fables.m4b")) as book:
        audio = np.concatenate([frame.to_ndarray()[0] for frame in book.decode(audio=0)])
        rate_hz = book.streams.audio[0].rate

    loud = np.array([np.sqrt(np.mean(audio[i : i + 2400] ** 2)) for i in range(0, len(audio), 2400)])
    assert rate_hz == 24_000
    assert 60 <= len(audio) / rate_hz <= 90
    # rms over flite's own output, pauses inserted by us left out, is 0.1
    assert np.sqrt(np.mean(audio**2) * len(audio) / (52.5 * rate_hz)) == pytest.approx(0.1, abs=0.01)
    assert (loud > 0.02).mean() > 0.5


def test_the_text_holds_eight_and_ten_sentences() -> None:
    chapters = (SAMPLES / "fables.txt").read_text(encoding="utf-8").strip().split("\n\n")

    assert [len(chapter.splitlines()) for chapter in chapters] == [8, 10]
