"""Command lines of the dashboards; the real optuna-dashboard over a real study."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import optuna
import pytest

from jobs.errors import UserError
from jobs.runner.client.submission import SubmissionRequest, take
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import Settings
from jobs.training.params import Params
from jobs.training.spec import KIND
from server.cli.dashboards import link_runs, optuna_line, tensorboard_line

BOUND_S = 60.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The environment of the tests, and a folder to work in."""
    python = tmp_path / "envs" / "ml" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    python.with_name("optuna-dashboard").symlink_to(
        Settings.from_environment().python("ml").with_name("optuna-dashboard")
    )
    return Settings(tmp_path / "home", tmp_path / "envs", (tmp_path,), disk_reserve_bytes=1_000_000)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of one trial."""
    path = tmp_path / "a search" / "optuna_study.db"
    path.parent.mkdir()
    made = optuna.create_study(study_name="tune_hparams", storage=f"sqlite:///{path}")
    made.tell(made.ask({"lr": optuna.distributions.FloatDistribution(1e-6, 1e-4)}), 4.25)
    return path


def test_the_dashboard_shows_the_study(settings: Settings, study: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = optuna_line([str(study.parent), "--port", str(port)], settings, "")

    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        listed = _get(f"http://127.0.0.1:{port}/api/studies", process)
    finally:
        process.kill()
        process.wait()

    assert [one["study_name"] for one in listed["study_summaries"]] == ["tune_hparams"]


@pytest.mark.parametrize("spelt", ["sqlite:///{study}", "{study}", "{folder}", "a search/optuna_study.db"])
def test_a_study_is_named_as_the_original_skill_did_or_by_its_path(settings: Settings, study: Path, spelt: str) -> None:
    command = optuna_line([spelt.format(study=study, folder=study.parent)], settings, "")

    assert command[2:] == ["--host", "127.0.0.1", "--port", "8080", f"sqlite:///{study}"]


@pytest.mark.parametrize("words", [[], ["nothing.db"]])
def test_a_missing_study_is_refused(settings: Settings, words: list[str]) -> None:
    with pytest.raises(UserError) as refused:
        optuna_line(words, settings, "")

    assert refused.value.code == "study_missing"
    assert "tune_hparams" in refused.value.hint


def test_without_the_environment_its_installation_is_named(settings: Settings, tmp_path: Path) -> None:
    bare = Settings(settings.home, tmp_path / "nothing", settings.roots)

    for line in (optuna_line, tensorboard_line):
        with pytest.raises(UserError, match="ml environment") as refused:
            line([], bare, "")
        assert "./run.sh setup ml" in refused.value.hint


def test_every_trainings_log_is_linked_by_its_job_wherever_it_is_written(settings: Settings, tmp_path: Path) -> None:
    store = Store(Home(settings.home))
    jobs = [
        take(SubmissionRequest(KIND, Params(manifest="/m", out_dir=out_dir), None, None, False), store, settings)[0].id
        for out_dir in (str(tmp_path / "voice"), "")
    ]
    for job in jobs:  # so that listing them starts no supervisor
        store.ask_to_cancel(job)
        store.cancel_waiting(job)
    (settings.home / "tensorboard").mkdir()
    (settings.home / "tensorboard" / "gone").symlink_to(tmp_path)

    links = {link.name: link.readlink() for link in link_runs(settings).iterdir()}

    assert links == {
        jobs[0]: tmp_path / "voice" / "tensorboard",
        jobs[1]: settings.home / "jobs" / jobs[1] / "out" / "tensorboard",
    }


def test_tensorboard_listens_on_this_machine_alone(settings: Settings, tmp_path: Path) -> None:
    command = tensorboard_line(["6099", "--logdir", "runs"], settings, "")

    assert command[1:] == [
        *("-m", "tensorboard.main", "--host", "127.0.0.1"),
        *("--port", "6099", "--logdir", str(tmp_path / "runs")),
    ]


def _get(url: str, process: subprocess.Popen[bytes]) -> Any:
    deadline = time.monotonic() + BOUND_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=BOUND_S) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, "it has ended"
            assert time.monotonic() < deadline
            time.sleep(0.05)
