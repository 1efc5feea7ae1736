"""A home of its own for every test, with a real supervisor, whose processes are all ended afterwards."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.runner.client.runner import Runner
from jobs.runner.paths import AttemptFolder, Home
from jobs.runner.store import Store
from jobs.settings import PROJECT_ROOT, Settings

HERE = Path(__file__).resolve().parent
BOUND_S = 60.0  # generous: the machine may be busy; a test that passes never waits so long


@pytest.fixture(autouse=True)
def tiny_kinds_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here and, through the environment, in the workers."""
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv("PYTHONPATH", f"{PROJECT_ROOT}:{HERE}")


@pytest.fixture
def settings(tmp_path: Path, end_processes_of: Callable[[Path], None]) -> Iterator[Settings]:
    """Settings whose ``ml`` environment is the interpreter of the tests."""
    python = tmp_path / "envs" / "ml" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    home = tmp_path / "a home"
    yield Settings(
        home=home,
        envs=tmp_path / "envs",
        roots=(tmp_path, PROJECT_ROOT, home),
        cpu_slots=2,
        disk_reserve_bytes=1_000_000,
    )
    end_processes_of(home)


@pytest.fixture
def runner(settings: Settings) -> Runner:
    """The client under test."""
    return Runner(settings)


@pytest.fixture
def store(settings: Settings) -> Store:
    """The same home's store, to look at what the client does not show."""
    return Store(Home(settings.home))


@pytest.fixture
def home(settings: Settings) -> Home:
    """The same home's files."""
    return Home(settings.home)


Until = Callable[[Callable[[], object]], object]


@pytest.fixture
def until() -> Until:
    """Wait, with a bound, until a condition holds, and return what it gave."""

    def wait(condition: Callable[[], object]) -> object:
        deadline = time.monotonic() + BOUND_S
        while not (found := condition()):
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.01)
        return found

    return wait


@pytest.fixture
def pids(home: Home, until: Until) -> Pids:
    """Pids of the runner's processes."""
    return Pids(home, until)


class Pids:
    """Finds the processes that a test kills."""

    def __init__(self, home: Home, until: Until) -> None:
        self._home = home
        self._until = until

    def supervisor(self) -> int:
        """The supervisor that holds the lock."""
        return int(str(self._until(lambda: self._home.supervisor_lock.read_text().strip())))

    def shim(self, folder: AttemptFolder) -> int:
        """An attempt's shim, once it has started the worker."""
        return self._start(folder, "shim")

    def worker(self, folder: AttemptFolder) -> int:
        """An attempt's worker."""
        return self._start(folder, "pid")

    def _start(self, folder: AttemptFolder, name: str) -> int:
        from jobs.files.records import read_record

        start = self._until(lambda: read_record(folder.start))
        assert isinstance(start, dict)
        return int(start[name])
