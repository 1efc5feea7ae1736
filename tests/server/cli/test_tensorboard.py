"""Which logs TensorBoard is shown."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.client.submission import Request, take
from jobs.runner.paths import Home
from jobs.runner.store.store import Store
from jobs.settings import Settings
from jobs.training.spec import KIND
from server.cli.tensorboard import link_runs, tensorboard_command


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home of its own, with an interpreter."""
    python = tmp_path / "envs" / "ml" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return Settings(tmp_path / "home", tmp_path / "envs", (tmp_path,), disk_reserve_bytes=1_000_000)


def test_every_trainings_log_is_linked_by_its_job_wherever_it_is_written(settings: Settings, tmp_path: Path) -> None:
    store = Store(Home(settings.home))
    jobs = [
        take(Request(KIND, KIND.params(manifest="/m", out_dir=out_dir), None, None, False), store, settings)[0].id
        for out_dir in (str(tmp_path / "voice"), "")
    ]
    for job in jobs:  # so that listing them starts nobody to run them
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
    command = tensorboard_command(["6099", "--logdir", "runs"], settings)

    assert command[1:] == [
        *("-m", "tensorboard.main", "--host", "127.0.0.1"),
        *("--port", "6099", "--logdir", str(tmp_path / "runs")),
    ]


def test_without_the_environment_the_cure_is_named(settings: Settings, tmp_path: Path) -> None:
    bare = Settings(settings.home, tmp_path / "nothing", settings.roots)

    with pytest.raises(UserError, match="ml environment") as refusal:
        tensorboard_command([], bare)

    assert "./run.sh setup ml" in refusal.value.hint
