"""What a search is given beside what the caller says; nothing is started."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from jobs.errors import UserError
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from tools.core.registry import all_tools
from tools.core.tool_types import ToolContext
from tools.inputs.arguments import parse_arguments

TUNE, REFINE = (all_tools()[name] for name in ("tune_hparams", "refine_voice"))
Planned = Callable[..., dict[str, Any]]


@pytest.fixture
def planned(home_with_a_job: tuple[Settings, str], tmp_path: Path) -> Planned:
    """The answer of a dry run on a manifest of two clips."""
    settings, _ = home_with_a_job
    manifest = tmp_path / "train_manifest_qwen3.jsonl"
    row = {"audio": "a.wav", "ref_audio": "a.wav", "text": "hello there", "speaker": "slt", "language": "english",
           "duration_s": 0.64, "audio_codes": [[1] * 16] * 8}  # fmt: skip
    rows = [row | {"split": split} for split in ("train", "validation")]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def plan(**given: Any) -> dict[str, Any]:
        args = parse_arguments(TUNE.args, {"manifest": str(manifest), "dry_run": True, **given}, tool="tune_hparams")
        view = anyio.run(TUNE.run, args, ToolContext(settings, Runner(settings)))
        assert view.state == "not_started"
        assert view.result is not None
        return view.result

    return plan


def test_the_recommendation_is_tried_first(planned: Planned) -> None:
    would_run = planned()["would_run"]

    assert (would_run["space"], would_run["training"]) == ("full", {"method": "full"})
    points = would_run["first"]
    assert points[0]["lr"] == 5e-6
    assert 1 < len(points) <= would_run["n_trials"] // 4
    assert "FelysNeko/qwen3-tts-post-training" in points[0].pop("source")
    assert set(points[0]) <= {found["name"] for found in would_run["ranges"]}


@pytest.mark.parametrize(
    ("given", "low", "high"),
    [({}, 1e-3, 2e-2), ({"training": {"method": "lora"}}, 5e-5, 2.5e-3), ({"space": "1.7b"}, 5e-6, 2.5e-4)],
)
def test_a_search_on_the_toy_looks_where_the_toy_learns(
    planned: Planned, given: dict[str, Any], low: float, high: float
) -> None:
    toy, real = (planned(base_model=base, **given)["would_run"] for base in ("toy", "Qwen/Qwen3-TTS-12Hz-0.6B-Base"))
    rate, usual = (next(one for one in run["ranges"] if one["name"] == "lr") for run in (toy, real))

    assert (rate["low"], rate["high"]) == (pytest.approx(low), pytest.approx(high))
    assert usual["low"] < rate["low"]
    assert toy["ranges"][1:] == real["ranges"][1:]
    assert all(rate["low"] <= point["lr"] <= rate["high"] for point in toy["first"])


def test_a_given_range_is_searched_on_the_toy_as_it_is(planned: Planned) -> None:
    given = [{"name": "lr", "low": 1e-6, "high": 1e-5, "log": True}]

    found = planned(base_model="toy", ranges=given)["would_run"]["ranges"]

    assert [(one["low"], one["high"]) for one in found] == [(1e-6, 1e-5)]


def test_a_loop_that_searches_first_tries_it_too(
    planned: Planned, home_with_a_job: tuple[Settings, str], tmp_path: Path
) -> None:
    asked = {"manifest": str(tmp_path / "train_manifest_qwen3.jsonl"), "dry_run": True}

    def points(**given: Any) -> list[dict[str, Any]]:
        args = parse_arguments(REFINE.args, {**asked, **given}, tool="refine_voice")
        view = anyio.run(REFINE.run, args, ToolContext(home_with_a_job[0], Runner(home_with_a_job[0])))
        found: list[dict[str, Any]] = view.result["would_run"].get("hp_first", [])
        return found

    assert points(run_hyperparameter_search=True, hp_trials=12) == planned()["would_run"]["first"]
    assert points(run_hyperparameter_search=True, hp_first=[{"lr": 2e-6}]) == [{"lr": 2e-6}]
    assert points() == []


def test_it_is_not_when_points_are_given_or_it_is_not_wanted(planned: Planned) -> None:
    assert planned(first=[{"lr": 2e-6}])["would_run"]["first"] == [{"lr": 2e-6}]
    assert len(planned(n_trials=3)["would_run"]["first"]) == 1
    assert planned(use_web_research=False)["would_run"].get("first", []) == []


def test_the_space_follows_the_method_and_what_is_fixed_is_not_searched(planned: Planned) -> None:
    would_run = planned(training={"method": "lora", "lora_r": 8})["would_run"]

    assert would_run["space"] == "lora"
    assert "lora_r" not in {found["name"] for found in would_run["ranges"]}
    assert would_run["training"] == {"method": "lora", "lora_r": 8}


def test_a_dry_run_tells_what_a_trial_takes(planned: Planned) -> None:
    plan = planned(n_trials=7, trial_steps=20)["plan"]

    assert plan["trials"] == 7
    assert plan["a_trial"]["settings"]["optimizer_steps"] == 20
    assert plan["a_trial"]["data"]["held_out"] == 1


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"first": [{"lr": 1.0}]}, "point_outside"),
        ({"first": [{"learning_rate": 1e-5}]}, "point_outside"),
        ({"training": {"learning_rate": 1e-5}}, "space_invalid"),
        ({"training": {"out_dir": "mine"}}, "space_invalid"),
        ({"training": {"out_dir": "/etc"}}, "path_outside_roots"),
        ({"ranges": [{"name": "lr", "low": 1e-6, "high": 1}]}, "space_invalid"),
        ({"ranges": [{"name": "lr", "low": 1e-4, "high": 1e-5}]}, "bad_arguments"),
        ({"manifest": "missing.jsonl"}, "manifest_missing"),
    ],
)
def test_what_no_trial_could_run_with_is_refused_at_once(planned: Planned, given: dict[str, Any], code: str) -> None:
    with pytest.raises(UserError) as refused:
        planned(**given)

    assert refused.value.code == code


def test_a_search_and_a_refinement_are_planned_for_the_gpu_that_the_call_names(
    planned: Planned, home_with_a_job: tuple[Settings, str], tmp_path: Path
) -> None:
    base = {"base_model": "Qwen/Qwen3-TTS-12Hz-1.7B-Base"}

    def refinement(**given: Any) -> dict[str, Any]:
        asked = {"manifest": str(tmp_path / "train_manifest_qwen3.jsonl"), "dry_run": True, **base, **given}
        view = anyio.run(
            REFINE.run,
            parse_arguments(REFINE.args, asked, tool="refine_voice"),
            ToolContext(home_with_a_job[0], Runner(home_with_a_job[0])),
        )
        assert view.result is not None
        found: dict[str, Any] = view.result["plan"]
        return found

    search = planned(gpu_memory_gb=16, **base)
    loop = refinement(gpu_memory_gb=16, run_hyperparameter_search=True)
    by_preset = refinement(training={"preset": "16gb"})

    assert search["would_run"]["training"]["optimizer"] == "paged_adamw_8bit"
    trainings = [search["plan"]["a_trial"], loop["a_round"], loop["search"]["a_trial"], by_preset["a_round"]]
    assert {plan["memory"]["of"] for plan in trainings} == {"a GPU of 16 GB, not this machine's"}
    assert {plan["settings"]["optimizer"] for plan in trainings} == {"paged_adamw_8bit, activations recomputed"}
    assert "These settings take a GPU of 24 GB" in search["plan"]["largest_trial"]
    with pytest.raises(UserError, match="a GPU of 6 GB"):
        planned(gpu_memory_gb=6, training={"method": "full"}, **base)
    with pytest.raises(UserError, match="a GPU of 6 GB"):
        refinement(gpu_memory_gb=6, training={"method": "full"})
