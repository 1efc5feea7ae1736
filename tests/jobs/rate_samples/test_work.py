"""A whole rating of synthetic speech with the real instruments: results, resume, cancel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.rate_samples.spec import Params
from jobs.rate_samples.work import JOURNAL, run
from jobs.runner.context import Cancelled

N_NARRATOR = 6


@pytest.fixture
def params(tmp_path: Path, fables: list[tuple[str, np.ndarray]], write_manifest: Callable[..., Path]) -> Params:
    """Six clips of the voice; takes: two of its other clips, one with another's text, one silent, one cut off."""
    narrator = write_manifest(tmp_path / "data", "train_manifest.jsonl", fables[:N_NARRATOR], speaker="slt")
    (text_a, audio_a), (text_b, audio_b) = fables[7], fables[9]
    silence = np.zeros_like(audio_b)
    takes = [(text_a, audio_a), (text_b, audio_b), (text_b, audio_a), (text_b, silence), (text_b, audio_b[:0])]
    return Params(
        takes=str(write_manifest(tmp_path / "takes", "takes.jsonl", takes, speaker="slt")),
        narrator_manifest=str(narrator),
    )


def test_right_takes_rate_high_and_wrong_and_silent_ones_are_unusable(
    params: Params, make_context: Callable[[], Any]
) -> None:
    context = make_context()

    result = run(params, context)

    report = json.loads(Path(result.ratings).read_text())
    ratings = [take["rating"] for take in report["takes"]]
    assert min(ratings[:2]) >= 4.0
    assert ratings[2:] == [1.0, 1.0, 1.0]
    assert (result.n_takes, result.n_text_heard, result.n_text_compared) == (5, 2, 5)
    assert result.best_take in {"00.wav", "01.wav"}
    assert result.common_reasons["silent"] == 2
    assert report["instruments"]["speaker_encoder"].startswith("resemblyzer")
    assert "until a person has listened" in report["caveat"]
    assert report["narrators"]["slt"]["n_clips"] == N_NARRATOR
    assert {name: kind for name, (_, kind) in context.published.items()} == {"ratings": "ratings", "plot": "plot"}
    assert Path(result.plot).read_bytes().startswith(b"\x89PNG")
    assert context.fractions == sorted(context.fractions)
    assert context.fractions[-1] == 1.0


def test_a_killed_rating_continues_with_what_was_measured_and_ends_the_same(
    params: Params, make_context: Callable[[], Any]
) -> None:
    stopped = make_context()
    stopped.cancel_after_progress = 7
    with pytest.raises(Cancelled):
        run(params, stopped)
    journal = Path(params.takes).with_name(JOURNAL)
    measured = journal.read_bytes()
    assert not Path(params.takes).with_name("ratings.json").exists()

    first = run(params, make_context())

    assert journal.read_bytes().startswith(measured)
    complete = journal.read_bytes()
    before = Path(first.ratings).read_bytes()
    assert run(params, make_context()) == first
    assert Path(first.ratings).read_bytes() == before
    assert journal.read_bytes() == complete


def test_another_language_is_rated_without_words_and_says_so(
    tmp_path: Path,
    fables: list[tuple[str, np.ndarray]],
    write_manifest: Callable[..., Path],
    make_context: Callable[[], Any],
) -> None:
    columns = {"speaker": "slt", "language": "german"}
    narrator = write_manifest(tmp_path / "data", "train_manifest.jsonl", fables[:5], **columns)
    takes = write_manifest(tmp_path / "takes", "takes.jsonl", [fables[7]], **columns)

    result = run(Params(takes=str(takes), narrator_manifest=str(narrator)), make_context())

    (take,) = json.loads(Path(result.ratings).read_text())["takes"]
    assert take["rating"] <= 4.0
    assert (take["intelligibility"], take["heard_words"]) == (None, None)
    assert "English only" in take["reasons"][0]
    assert take["measures"]["speaking_rate"] > 5
    assert result.n_text_compared == 0
