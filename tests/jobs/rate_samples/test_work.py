"""A whole rating of synthetic speech with the real instruments: results, resume, cancel."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.rate_samples.spec import Params
from jobs.rate_samples.work import JOURNAL, run
from jobs.runner.context import Cancelled
from jobs.speech.opinions import HUMAN_RATINGS, HumanRating, append_durably
from jobs.speech.rating import AUTOMATIC_CAP

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
    assert report["narrators"]["slt"]["n_clips"] == N_NARRATOR - 1  # the other one is the ceiling
    published = {name: kind for name, (_, kind) in context.published.items()}
    assert published == {"ratings": "ratings", "plot": "plot", "report": "report"}
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


def test_the_narrator_is_held_against_the_takes_and_his_own_voice_is_no_floor(
    params: Params, make_context: Callable[[], Any]
) -> None:
    result = run(params, make_context())

    report = json.loads(Path(result.ratings).read_text())
    assert report["anchors"]["narrator"]["mean"] >= 4.3
    assert report["anchors"]["narrator"]["n"] == 1
    assert (Path(result.ratings).parent / "anchors" / "narrator-01.wav").is_file()
    # the carried voice is this very narrator's
    assert report["anchors"]["other_speaker"] is None
    assert "sounds like the narrator himself" in report["anchor_notes"]["other_speaker"]
    assert report["anchors"]["zero_shot"] is None
    assert result.other_speaker is None


def test_takes_of_a_text_are_averaged_first_and_the_clone_without_training_is_rated_alike(
    params: Params, make_context: Callable[[], Any]
) -> None:
    takes = Path(params.takes)
    lines = [json.loads(line) for line in takes.read_text().splitlines()]
    lines = [lines[0], *[{**lines[1], "take": take} for take in (1, 2)], {**lines[3], "take": 3}]
    takes.write_text("".join(json.dumps(line) + "\n" for line in lines))
    clone = takes.with_name("clone.jsonl")
    clone.write_text(json.dumps(lines[0]) + "\n")

    result = run(params.model_copy(update={"zero_shot_takes": str(clone)}), make_context())

    report = json.loads(Path(result.ratings).read_text())
    uncapped = [take["uncapped"] for take in report["takes"]]
    summary = report["summary"]
    assert (summary["n_takes"], summary["n_texts"]) == (4, 2)
    assert summary["mean"] == pytest.approx((uncapped[0] + sum(uncapped[1:]) / 3) / 2, abs=0.002)
    assert summary["low"] < summary["mean"] < summary["high"]
    assert report["anchors"]["zero_shot"]["mean"] == uncapped[0]
    assert result.zero_shot == uncapped[0]
    assert json.loads(Path(result.evaluation).read_text())["average_rating"] == result.mean_rating
    assert [sample["phrase"] for sample in json.loads(Path(result.evaluation).read_text())["samples"]] == [
        line["text"] for line in lines
    ]


def test_a_persons_five_lifts_the_cap_of_that_take_only_and_is_on_the_page(
    params: Params, make_context: Callable[[], Any]
) -> None:
    said = [HumanRating(audio="00.wav", text="", score=5, note="lovely <b>", at=1.0, who="Ada")]
    append_durably(Path(params.takes).with_name(HUMAN_RATINGS), said)

    result = run(params, make_context())

    first, second, *_ = json.loads(Path(result.ratings).read_text())["takes"]
    assert (first["person"], first["n_person"], first["rating"]) == (5.0, 1, first["uncapped"])
    assert (second["person"], second["rating"]) == (None, min(second["uncapped"], AUTOMATIC_CAP))
    assert first["uncapped"] > AUTOMATIC_CAP
    page = Path(result.report).read_text()
    assert "lovely &lt;b&gt;" in page
    assert "Ada" in page
    folder = Path(result.report).parent
    for source in re.findall(r'src="([^"]+)"', page):
        assert source.startswith("data:image/png") or (folder / source).is_file()
    assert page.count("<audio") == 5 + 1  # the takes and the held-out clip
    assert "<script" not in page
