"""An environment counts as ready only when its lock is the project's lock."""

from dataclasses import replace
from pathlib import Path

import pytest

from jobs.environments.environment_state import INSTALLED_LOCK, LOCKS, environment_cost_mb, environment_state
from jobs.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(Settings.from_environment({}, cwd=tmp_path), envs=tmp_path / "envs")


def make_interpreter(settings: Settings) -> None:
    python = settings.python("server")
    python.parent.mkdir(parents=True)
    python.touch()


def test_an_environment_without_interpreter_is_absent(settings: Settings) -> None:
    assert environment_state(settings, "server") == "absent"


def test_an_interrupted_set_up_is_stale(settings: Settings) -> None:
    make_interpreter(settings)

    assert environment_state(settings, "server") == "stale"


def test_an_environment_of_another_lock_is_stale(settings: Settings) -> None:
    make_interpreter(settings)
    (settings.envs / "server" / INSTALLED_LOCK).write_text("mcp==1.0\n")

    assert environment_state(settings, "server") == "stale"


def test_an_environment_of_this_lock_is_ready(settings: Settings) -> None:
    make_interpreter(settings)
    (settings.envs / "server" / INSTALLED_LOCK).write_bytes((LOCKS / "server.lock").read_bytes())

    assert environment_state(settings, "server") == "ready"


def test_the_heavy_environment_says_what_it_costs() -> None:
    download_mb, disk_mb = environment_cost_mb("ml")

    assert 1_000 < download_mb < disk_mb
