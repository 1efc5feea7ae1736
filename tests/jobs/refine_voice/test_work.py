"""Whole loops on a toy that makes sound: real trainings, takes and ratings, a real runner."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from jobs.errors import UserError
from jobs.refine_voice.params import Params, check
from jobs.refine_voice.spec import KIND
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from jobs.settings import Settings
from tests.jobs.refine_voice.conftest import TEXTS
from tests.support.declared_outputs import list_undeclared
from tools.core.tool_types import ToolContext
from tools.rate_samples import RateSamplesArgs, Score, rate_samples

BOUND_S = 900.0  # the machine may be busy

WHEN_DONE = ["ratings.json", "takes.jsonl", "evaluation.json", "eval_00.wav"]


def digest(folder: Path) -> str:
    """Of a voice's weights."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_the_loop_rates_every_round_beside_the_clone_and_keeps_the_best(
    live_settings: Settings, make: Callable[..., Params], tmp_path: Path
) -> None:
    runner, named = Runner(live_settings), tmp_path / "voices" / "anna"
    params = make(max_iterations=1, quality_threshold=4.5, texts=TEXTS[:1], voice_dir=str(named))

    job = runner.wait(runner.submit(KIND, params).job.job_id, BOUND_S)

    assert job.state == "succeeded", job
    assert job.result is not None
    folder = tmp_path / "refined"
    rounds = job.result["rounds"]
    assert [one["iteration"] for one in rounds] == [0, 1]
    for one in rounds:
        round_folder = folder / "evaluations" / f"iteration_{one['iteration']}"
        assert set(WHEN_DONE) <= {path.name for path in round_folder.iterdir()}
        evaluation = json.loads((round_folder / "evaluation.json").read_text())
        assert (evaluation["average_rating"], evaluation["rated_by"]) == (one["rating"], "automatic")
        assert [sample["phrase"] for sample in evaluation["samples"]] == TEXTS[:1]
        ratings = json.loads((round_folder / "ratings.json").read_text())
        assert one["rating"] == pytest.approx(ratings["summary"]["shown"]["mean"], abs=0.01)
        assert one["uncapped"] == pytest.approx(ratings["summary"]["mean"], abs=0.01)
        assert one["low"] <= one["uncapped"] <= one["high"]
    best = folder / "checkpoints" / f"iteration_{job.result['best_iteration']}" / "voice"
    assert digest(folder / "final_model") == digest(named / "voice") == digest(best)
    assert job.result["voice"] == str(named / "voice")
    assert [path.name for path in sorted(named.iterdir())] == [".tts-train", "voice"]
    assert list_undeclared(KIND, out_dir=folder) == []
    assert "did not help" in job.result["verdict"]  # noise cannot be better than noise
    assert job.result["zero_shot"] == rounds[0]["uncapped"]
    assert len(job.result["summary"]) <= 10
    assert "did not help" in job.result["summary"][0]
    page = (folder / "report.html").read_text()
    assert page.count("<audio") == 2
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page
    curves = json.loads((folder / "report.json").read_text())["curves"]
    assert len(curves["1"]["loss"]) == 2
    assert not job.result["threshold_met"]


def test_a_person_rates_while_no_slot_is_held_and_a_kill_changes_nothing(
    live_settings: Settings, make: Callable[..., Params], tmp_path: Path, sounding_voice: Path,
    kill_worker: Callable[[Runner, str], None],
) -> None:  # fmt: skip
    runner = Runner(live_settings)
    of_presets = make(rating="person", quality_threshold=4, zero_shot=False, base_model=str(sounding_voice))
    job_id = runner.submit(KIND, of_presets).job.job_id
    context = ToolContext(live_settings, runner)

    for iteration, score in ((1, 2), (2, 5)):
        waits = _wait_for_the_question(runner, job_id, iteration)
        assert {job.state for job in runner.list() if job.job_id != job_id} == {"succeeded"}
        takes = tmp_path / "refined" / "evaluations" / f"iteration_{iteration}" / "takes.jsonl"
        assert str(takes) in waits
        kill_worker(runner, job_id)
        scores = [Score(audio=json.loads(line)["audio"], score=score) for line in takes.read_text().splitlines()]
        anyio.run(rate_samples, RateSamplesArgs(takes=str(takes), scores=scores), context)
    job = runner.wait(job_id, BOUND_S)

    assert job.state == "succeeded", job
    assert job.result is not None
    assert [(one["iteration"], one["rating"]) for one in job.result["rounds"]] == [(1, 2.0), (2, 5.0)]
    assert (job.result["best_iteration"], job.result["threshold_met"]) == (2, True)
    checkpoints = tmp_path / "refined" / "checkpoints"
    assert digest(checkpoints / "iteration_1/voice") != digest(checkpoints / "iteration_2/voice")
    second, first = runner.list(kind="training")
    assert first.params["base_model"] == str(sounding_voice)
    assert second.params["base_model"] == str(checkpoints / "iteration_1/voice")
    assert job.attempt > 1


def test_a_round_that_fails_ends_the_loop_with_its_reason(
    live_settings: Settings, make: Callable[..., Params], tmp_path: Path
) -> None:
    params = make(zero_shot=False, training={"method": "lora", "lora_targets": "no_such_module"})
    runner = Runner(live_settings)

    job = runner.wait(runner.submit(KIND, params).job.job_id, BOUND_S)

    assert (job.state, job.failure and job.failure.code) == ("failed", "round_failed")
    assert job.failure is not None
    assert "train-1 (training-" in job.failure.message


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"quality_threshold": 4.8}, "threshold_too_high"),
        ({"training": {"epochs": 3}}, "bad_arguments"),
        ({"training": {"lr": 7}}, "bad_arguments"),
        ({"manifest": "/nothing.jsonl"}, "manifest_missing"),
    ],
)
def test_what_no_round_could_do_is_refused_at_once(
    make: Callable[..., Params], given: dict[str, Any], code: str
) -> None:
    with pytest.raises(UserError) as refused:
        check(make(**given))

    assert refused.value.code == code


def _wait_for_the_question(runner: Runner, job_id: str, iteration: int) -> str:
    deadline = time.monotonic() + BOUND_S
    while True:
        job: JobRecord = runner.wait(job_id, 0.2)
        assert not job.is_finished, job
        assert time.monotonic() < deadline
        progress = runner.progress(job_id)
        if progress is not None and f"iteration {iteration} waits" in progress.message:
            return progress.message
