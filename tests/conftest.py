"""Fixtures of all tests, and the option ``--fast``."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import Settings
from tests.fast_selection import is_fast
from tests.support.processes import find_processes
from tests.support.whisper_weights import need_whisper

BOUND_S = 60.0  # generous: the machine may be busy; a test that passes never waits so long


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--fast``."""
    parser.addoption("--fast", action="store_true", help="only tests that need neither torch nor jobs")


def pytest_configure() -> None:
    """Make the collection of tests cheap, and keep what was compiled for the processes that tests start.

    The garbage collector would search all that tests import again and again. Those processes themselves write nothing
    beside the sources.
    """
    gc.disable()
    sys.dont_write_bytecode = False


def pytest_collection_finish() -> None:
    """Let the garbage collector work on what the tests themselves make."""
    gc.freeze()
    gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out slow files, before they are imported."""
    is_test = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    return True if config.getoption("--fast") and is_test and not is_fast(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run slow files first: short tests at the end keep all test processes busy until then."""
    items.sort(key=lambda item: is_fast(item.path))


@pytest.fixture(scope="module", autouse=True)
def exclude_imports_from_collections() -> None:
    """Keep the garbage collector from searching all imported modules in the middle of a test that measures time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def end_processes_of() -> Callable[[Path], None]:
    """Kills every process whose ``TTS_TRAIN_HOME`` is the given folder."""

    def end(home: Path) -> None:
        deadline = time.monotonic() + BOUND_S
        while left := find_processes("TTS_TRAIN_HOME", home):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            assert time.monotonic() < deadline, f"{left} cannot be ended"

    return end


@pytest.fixture(scope="session")
def whisper_base() -> Path:
    """The folder of a multilingual Whisper base for faster-whisper: real weights, which are not part of the project."""
    return need_whisper("whisper-base")


@pytest.fixture(scope="session")
def whisper_tiny_en() -> Path:
    """The folder of Whisper tiny.en."""
    return need_whisper("whisper-tiny.en")


@pytest.fixture
def home_with_a_job(tmp_path: Path) -> tuple[Settings, str]:
    """Settings of a home, and the id of its one job: cancelled, of one attempt that has told nothing yet.

    The ml environment is the interpreter of the tests.
    """
    python = tmp_path / "envs" / "ml" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    home, job_id = Home(tmp_path / "a home"), "training-20260101-000000-0001"
    row = {"id": job_id, "kind": "training", "spec_hash": "", "document": '{"params": {}}', "resource": "gpu",
           "environment": "ml", "max_tries": 1, "created_at": 1.0, "state": "cancelled", "attempt": 1,
           "ended_at": 2.0}  # fmt: skip
    store = Store(home)
    with store.transaction() as connection:
        store.insert(connection, row, None)
    home.attempt(job_id, 1).path.mkdir(parents=True)
    return Settings(home=home.path, envs=tmp_path / "envs", roots=(tmp_path,)), job_id
