"""Real searches: real training jobs of a toy, a real study, a real runner."""

from __future__ import annotations

import html
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from jobs.errors import UserError
from jobs.qwen.toy.checkpoints import make_toy_base
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from jobs.training.planning.hyperparams import read_hyperparams
from jobs.tune_hparams import work
from jobs.tune_hparams.params import Params
from jobs.tune_hparams.spec import KIND
from jobs.tune_hparams.study import Study
from tests.jobs.training.conftest import CODEBOOK_SIZE, coded_rows, write_manifest
from tests.support.declared_outputs import list_undeclared

__all__ = ["coded_rows", "write_manifest"]
BOUND_S = 900.0  # the machine may be busy
RANGES: list[dict[str, Any]] = [
    {"name": "lr", "low": 1e-6, "high": 1e-1, "log": True},
    {"name": "batch_size", "choices": [2, 4]},
]


@pytest.fixture
def settings(live_settings: Settings) -> Settings:
    """A home with two slots for trials."""
    return replace(live_settings, gpu_slots=2)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 0.6B-shaped toy."""
    return make_toy_base(tmp_path_factory.mktemp("base") / "toy", shape="0.6b", codebook_size=CODEBOOK_SIZE)


@pytest.fixture
def make(
    base: Path, coded_rows: list[Any], write_manifest: Callable[..., Path], tmp_path: Path
) -> Callable[..., Params]:
    """Parameters of a search of trials of six steps; keywords replace them."""
    manifest = write_manifest(coded_rows)

    def params(**changes: Any) -> Params:
        given = {"manifest": str(manifest), "base_model": str(base), "out_dir": str(tmp_path / "a search"),
                 "n_trials": 4, "trial_steps": 6, "ranges": RANGES, "pruning": False,
                 "training": {"method": "full", "speaker_clips": 0}}  # fmt: skip
        return Params.model_validate({**given, **changes})

    return params


def test_a_search_ends_with_settings_that_a_training_takes(
    settings: Settings, make: Callable[..., Params], tmp_path: Path
) -> None:
    runner = Runner(settings)
    params = make(first=[{"lr": 3e-3}], best_config=str(tmp_path / "artifacts" / "best_config.json"), parallel=2)

    job = runner.wait(runner.submit(KIND, params).job.job_id, BOUND_S)

    assert job.state == "succeeded", job
    assert job.result is not None
    folder = tmp_path / "a search"
    trials = optuna.load_study(study_name=None, storage=f"sqlite:///{folder / 'optuna_study.db'}").trials
    assert len(trials) == 4
    assert trials[0].params["lr"] == 3e-3
    assert job.result["trials"] == {"complete": 4}
    assert job.result["validation_loss"] == min(trial.value for trial in trials)
    best = min(trials, key=lambda trial: trial.value)
    for path in (folder / "best_config.json", tmp_path / "artifacts" / "best_config.json"):
        assert json.loads(path.read_text())["hyperparameters"] == {"method": "full", "speaker_clips": 0, **best.params}
    assert read_hyperparams(folder / "best_config.json", {"lr"}) == {
        "method": "full", "speaker_clips": 0, "batch_size": best.params["batch_size"],
    }  # fmt: skip
    assert list_undeclared(KIND, out_dir=folder) == []
    assert [(folder / f"trial_{n}" / "voice").is_dir() for n in range(4)] == [n == best.number for n in range(4)]
    for name in ("history", "slices", "importance", "parallel_coordinates"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        drawn = (folder / f"{name}.html").read_text()
        assert re.findall(r'<script[^>]* src="([^"]+)"', drawn) == ["plotly.min.js"]  # beside it: no network
        assert f'href="{name}.html"' in (folder / "report.html").read_text()
    assert (folder / "plotly.min.js").stat().st_size > 1_000_000
    page = (folder / "report.html").read_text()
    assert f"trial {best.number}, validation loss" in page
    assert page.count("<tr") == 5
    assert len(runner.list(kind="training")) == 4
    for trial in trials:  # trained with the proposed values
        params_of_trial = runner.get(trial.user_attrs["job"]).params
        assert {name: params_of_trial[name] for name in trial.params} == trial.params


def test_a_killed_search_goes_on_with_its_study_and_a_longer_one_where_it_ended(
    settings: Settings, make: Callable[..., Params], kill_worker: Callable[[Runner, str], None]
) -> None:
    runner = Runner(settings)
    job_id = runner.submit(KIND, make(n_trials=2)).job.job_id
    deadline = time.monotonic() + BOUND_S
    for n_trials in (1, 2):  # while the first, the second trial runs
        while len(runner.list(kind="training")) < n_trials:
            assert time.monotonic() < deadline
            assert not runner.wait(job_id, 0.05).is_finished
        kill_worker(runner, job_id)

    job = runner.wait(job_id, BOUND_S)

    assert job.state == "succeeded", job
    assert job.attempt == 3
    assert job.result is not None
    assert job.result["trials"] == {"complete": 2}
    assert len(runner.list(kind="training")) == 2
    assert {child.state for child in runner.list(kind="training")} == {"succeeded"}

    longer = runner.wait(runner.submit(KIND, make(n_trials=3, seed=5)).job.job_id, BOUND_S)

    assert longer.result is not None
    assert longer.result["trials"] == {"complete": 3}
    assert len(runner.list(kind="training")) == 3


def test_a_hopeless_trial_is_stopped_early(settings: Settings, make: Callable[..., Params]) -> None:
    points = [{"lr": lr, "batch_size": 2} for lr in (1e-3, 2e-3, 5e-4, 1e-6)]
    runner = Runner(settings)
    params = make(first=points, n_trials=4, trial_steps=120, pruning=True)

    job = runner.wait(runner.submit(KIND, params).job.job_id, BOUND_S)

    assert job.result is not None, job
    assert job.result["trials"] == {"complete": 3, "pruned": 1}
    newest = runner.list(kind="training", limit=1)[0]
    assert (newest.state, newest.params["lr"]) == ("cancelled", 1e-6)
    progress = runner.progress(newest.job_id)
    assert progress is not None
    assert progress.done < 120


def test_trials_are_rated_and_a_search_killed_during_synthesis_continues(
    settings: Settings, sounding_voice: Path, sounding_manifest: Path, tmp_path: Path,
    kill_worker: Callable[[Runner, str], None],
) -> None:  # fmt: skip
    runner = Runner(settings)
    params = Params.model_validate({
        "manifest": str(sounding_manifest), "base_model": str(sounding_voice), "out_dir": str(tmp_path / "a search"),
        "n_trials": 2, "trial_steps": 2, "objective": "both", "parallel": 2, "takes_per_text": 2,
        "first": [{"lr": 1e-3, "source": "a stranger's page"}], "training": {"method": "full", "batch_size": 4},
        "ranges": [{"name": "lr", "low": 1e-6, "high": 1e-2, "log": True}],
        "texts": ["the fox ran home with the dog"],
    })  # fmt: skip
    job_id = runner.submit(KIND, params).job.job_id
    deadline = time.monotonic() + BOUND_S
    while not runner.list(kind="synthesize"):
        assert time.monotonic() < deadline
        assert not runner.wait(job_id, 0.05).is_finished
    kill_worker(runner, job_id)

    job = runner.wait(job_id, BOUND_S)

    assert job.state == "succeeded", job
    assert job.result is not None
    assert job.attempt == 2
    assert [len(runner.list(kind=kind)) for kind in ("training", "synthesize", "rate_samples")] == [2, 2, 2]
    folder = tmp_path / "a search"
    trials = optuna.load_study(study_name=None, storage=f"sqlite:///{folder / 'optuna_study.db'}").trials
    for trial in trials:
        takes = json.loads((folder / f"trial_{trial.number}" / "takes" / "ratings.json").read_text())["takes"]
        assert len(takes) == 2
        audio = trial.user_attrs["heard"]
        assert audio["rating"] == pytest.approx(sum(take["uncapped"] for take in takes) / 2, abs=1e-3)
        assert trial.values == [trial.user_attrs["validation_loss"], audio["score"]]
    assert trials[0].user_attrs["source"] == "a stranger's page"
    assert job.result["best_trial"] in job.result["front"]
    best = json.loads((folder / "best_config.json").read_text())
    assert (best["objective"], best["audio_score"]) == ("both", job.result["audio_score"])
    page = (folder / "report.html").read_text()
    assert "a stranger's page" in html.unescape(page)
    assert 'href="pareto_front.html"' in page


def test_a_trial_that_the_kernel_kills_for_memory_is_recorded_and_nothing_as_large_is_tried(
    settings: Settings, make: Callable[..., Params], tasks_of_small_group: Path,
    kill_worker: Callable[[Runner, str], None],
) -> None:  # fmt: skip
    python = settings.python("ml")  # workers of large batches get 64 MB
    python.write_text(
        "#!/bin/sh\nfor word; do case $word in */training-*/attempt-*)\n"
        f"  grep -q '\"batch_size\": 4' $(dirname $word)/job.json && echo $$ > {tasks_of_small_group};;\n"
        f'esac; done\nOMP_NUM_THREADS=1 exec "{sys.executable}" "$@"\n'
    )
    runner = Runner(settings)
    params = make(first=[{"lr": 1e-3, "batch_size": 4}, {"lr": 2e-3, "batch_size": 4}], n_trials=2)

    job_id = runner.submit(KIND, params).job.job_id
    deadline = time.monotonic() + BOUND_S
    while len(runner.list(kind="training")) < 2:
        assert time.monotonic() < deadline
        assert not runner.wait(job_id, 0.05).is_finished
    kill_worker(runner, job_id)  # not for memory, unlike the trial before

    job = runner.wait(job_id, BOUND_S)

    assert job.state == "succeeded", job
    assert job.result is not None
    assert job.result["trials"] == {"out_of_memory": 1, "complete": 1}
    assert job.attempt == 2
    trained = runner.list(kind="training")
    assert [(one.params["batch_size"], one.state, one.reason) for one in reversed(trained)] == [
        (4, "failed", "oom_likely"), (2, "succeeded", None),
    ]  # fmt: skip


def test_a_search_without_held_out_clips_is_refused_before_any_trial(
    settings: Settings, make: Callable[..., Params], coded_rows: list[Any], write_manifest: Callable[..., Path]
) -> None:
    params = make()
    write_manifest([row | {"split": "train"} for row in coded_rows])
    runner = Runner(settings)

    job = runner.wait(runner.submit(KIND, params).job.job_id, BOUND_S)

    assert job.failure is not None
    assert job.failure.code == "nothing_held_out"
    assert "no speaker has 20 clips" in job.failure.message
    assert 'split "validation"; or give 20 clips or more of a speaker' in job.failure.hint
    assert runner.list(kind="training") == []


def test_a_search_begun_with_other_held_out_clips_is_not_continued(
    make: Callable[..., Params], coded_rows: list[Any], write_manifest: Callable[..., Path], tmp_path: Path,
    make_context: Callable[[], Any],
) -> None:  # fmt: skip
    params = make()
    write_manifest([{**row, "text": f"{row['text']} {n}", "split": "train"} for n in range(5) for row in coded_rows])
    (tmp_path / "a search").mkdir()
    Study(tmp_path / "a search" / "optuna_study.db", params.ranges, identity=work._identity(params, {}))

    with pytest.raises(UserError) as refused:
        work.run(params, make_context())

    assert refused.value.code == "out_dir_taken"
