"""A whole rating of synthetic speech with the real models: results, resume, cancel."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.files.output_marks import HUMAN_RATINGS
from jobs.rate_samples.params import Params, Result
from jobs.rate_samples.spec import KIND
from jobs.rate_samples.work import JOURNAL, run
from jobs.rating.human_ratings import HumanRating, append_durably
from jobs.rating.scoring import AUTOMATIC_CAP
from jobs.runner.worker.context import Cancelled, JobContext
from tests.support.declared_outputs import list_undeclared

N_NARRATOR = 6


def small_job(folder: Path, fables: list[tuple[str, np.ndarray]], write_manifest: Callable[..., Path]) -> Params:
    """Six clips of the voice; takes: two of its other clips, one with another's text, one silent, one cut off."""
    narrator = write_manifest(folder / "data", "train_manifest.jsonl", fables[:N_NARRATOR], speaker="slt")
    (text_a, audio_a), (text_b, audio_b) = fables[7], fables[9]
    silence = np.zeros_like(audio_b)
    takes = [(text_a, audio_a), (text_b, audio_b), (text_b, audio_a), (text_b, silence), (text_b, audio_b[:0])]
    return Params(
        takes=str(write_manifest(folder / "takes", "takes.jsonl", takes, speaker="slt")),
        narrator_manifest=str(narrator),
        anchor_clips=1,
    )


@pytest.fixture
def params(tmp_path: Path, fables: list[tuple[str, np.ndarray]], write_manifest: Callable[..., Path]) -> Params:
    """A job of a test's own."""
    return small_job(tmp_path, fables, write_manifest)


@pytest.fixture(scope="module")
def rated(
    tmp_path_factory: pytest.TempPathFactory,
    fables: list[tuple[str, np.ndarray]],
    write_manifest: Callable[..., Path],
    quiet_context: Callable[..., JobContext],
) -> tuple[Result, dict[str, Any]]:
    """The job's result and its ratings.json, once a person has given the first take a 5."""
    folder = tmp_path_factory.mktemp("rated")
    params = small_job(folder, fables, write_manifest)
    opinions = [HumanRating(audio="00.wav", text="", score=5, note="lovely <b>", at=1.0, who="Ada")]
    append_durably(Path(params.takes).with_name(HUMAN_RATINGS), opinions)
    result = run(params, quiet_context(folder))
    return result, json.loads(Path(result.ratings).read_text())


def test_right_takes_rate_high_and_wrong_and_silent_ones_are_unusable(rated: tuple[Result, dict[str, Any]]) -> None:
    result, report = rated

    ratings = [take["rating"] for take in report["takes"]]
    assert min(ratings[:2]) >= 4.0
    assert ratings[2:] == [1.0, 1.0, 1.0]
    assert (result.n_takes, result.n_texts, result.n_text_heard, result.n_text_compared) == (5, 2, 2, 5)
    assert result.best_take in {"00.wav", "01.wav"}
    assert result.common_reasons["silent"] == 2
    assert report["instruments"]["speaker_encoder"].startswith("resemblyzer")
    assert report["voice_limits"]["slt"]["limits"] == {"another": 0.76, "far": 0.6, "zero": 0.72}
    assert "until a person has listened" in report["caveat"]
    assert Path(result.plot).read_bytes().startswith(b"\x89PNG")


def test_a_second_run_gives_the_same_figures_in_whatever_order_the_takes_come(
    rated: tuple[Result, dict[str, Any]],
    params: Params,
    quiet_context: Callable[..., JobContext],
    tmp_path: Path,
) -> None:
    lines = Path(params.takes).read_text().splitlines()
    Path(params.takes).write_text("\n".join(reversed(lines)) + "\n")
    again = json.loads(Path(run(params, quiet_context(tmp_path)).ratings).read_text())
    by_people = ("person", "n_person", "rating")  # the first run has a person's score

    def figures(ratings: dict[str, Any]) -> dict[str, dict[str, Any]]:
        return {take["audio"]: {k: v for k, v in take.items() if k not in by_people} for take in ratings["takes"]}

    assert figures(again) == figures(rated[1])
    assert again["narrators"] == rated[1]["narrators"]


def test_takes_are_averaged_by_text_and_then_over_the_texts(rated: tuple[Result, dict[str, Any]]) -> None:
    result, report = rated

    uncapped = [take["uncapped"] for take in report["takes"]]
    summary = report["summary"]
    assert (summary["n_takes"], summary["n_texts"]) == (5, 2)
    assert summary["mean"] == pytest.approx((uncapped[0] + sum(uncapped[1:]) / 4) / 2, abs=0.002)
    assert summary["low"] < summary["mean"] < summary["high"]
    assert summary["shown"]["mean"] <= summary["mean"]
    evaluation = json.loads(Path(result.evaluation).read_text())
    assert evaluation["average_rating"] == result.mean_rating
    assert [sample["audio"] for sample in evaluation["samples"]] == [take["audio"] for take in report["takes"]]


def test_the_narrator_is_the_upper_bound_and_the_same_voice_gives_no_lower_bound(
    rated: tuple[Result, dict[str, Any]],
) -> None:
    result, report = rated

    assert report["anchors"]["narrator"]["mean"] >= 4.3
    assert report["anchors"]["narrator"]["n"] == 1
    assert set(report["narrators"]["slt"]["own"][-1]) == {"length_s", "sim", "ovrl", "p808"}
    assert report["narrators"]["slt"]["n_clips"] == N_NARRATOR - 1  # the other one is the upper bound
    # the bundled voice is this narrator's
    assert report["anchors"]["other_speaker"] is None
    assert "too similar to the narrator" in report["anchor_notes"]["other_speaker"]
    assert report["anchors"]["zero_shot"] is None
    assert (result.other_speaker, result.zero_shot) == (None, None)


def test_a_persons_five_lifts_the_cap_of_that_take_only(rated: tuple[Result, dict[str, Any]]) -> None:
    _, report = rated

    first, second, *_ = report["takes"]
    assert first["uncapped"] > AUTOMATIC_CAP
    assert (first["person"], first["n_person"], first["rating"]) == (5.0, 1, first["uncapped"])
    assert (second["person"], second["rating"]) == (None, min(second["uncapped"], AUTOMATIC_CAP))


def test_the_page_plays_takes_and_anchors_and_runs_nothing_that_a_person_wrote(
    rated: tuple[Result, dict[str, Any]],
) -> None:
    result, _ = rated

    page = Path(result.report).read_text()
    sources = re.findall(r'src="([^"]+)"', page)
    files = [source for source in sources if not source.startswith("data:image/png")]
    assert all((Path(result.report).parent / source).is_file() for source in files)
    assert page.count("<audio") == 5 + 1  # the takes and the held-out clip
    assert "lovely &lt;b&gt;" in page
    assert "<script" not in page


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

    context = make_context()
    first = run(params, context)

    published = {name: kind for name, (_, kind) in context.published.items()}
    assert published == {"ratings": "ratings", "plot": "plot", "report": "report"}
    assert context.fractions == sorted(context.fractions)
    assert context.fractions[-1] == 1.0
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

    result = run(Params(takes=str(takes), narrator_manifest=str(narrator), anchor_clips=0), make_context())

    (take,) = json.loads(Path(result.ratings).read_text())["takes"]
    assert take["rating"] <= 4.0
    assert (take["intelligibility"], take["heard_words"]) == (None, None)
    assert "English only" in take["reasons"][0]
    assert take["measures"]["speaking_rate"] > 5
    assert result.n_text_compared == 0


def test_a_clone_without_training_and_another_speaker_are_rated_in_the_same_run(
    params: Params, make_context: Callable[[], Any]
) -> None:
    takes, clone = Path(params.takes), Path(params.takes).with_name("clone.jsonl")
    for path in (takes, clone):
        path.write_text(takes.read_text().splitlines()[0] + "\n")
    noise = Path(params.takes).parent.parent / "someone.wav"
    write_clip(noise, np.random.default_rng(0).normal(0, 0.1, 3 * CLIP_RATE_HZ).astype(np.float32), CLIP_RATE_HZ)
    given = {"zero_shot_takes": str(clone), "other_speaker": str(noise)}

    measures = Path(params.takes).parent.parent / "shared.jsonl"

    before = {path.name for path in takes.parent.iterdir()}
    result = run(params.model_copy(update={**given, "measures": str(measures)}), make_context())

    assert list_undeclared(KIND, before, out=Path(result.ratings)) == []
    assert measures.is_file()
    report = json.loads(Path(result.ratings).read_text())
    assert report["anchors"]["zero_shot"]["mean"] == report["takes"][0]["uncapped"] == result.zero_shot
    assert report["anchors"]["other_speaker"]["mean"] == 1.0
    assert "someone.wav" in report["anchors"]["other_speaker"]["note"]
    assert {take["audio"] for take in report["anchor_takes"]["zero_shot"]} == {"anchors/zero_shot-01.wav"}
