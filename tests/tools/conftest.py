"""A home, a working directory and a runner for tools that are called directly."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from tools.core.tool_types import ToolContext


@pytest.fixture
def settings(tmp_path: Path, end_processes_of: Callable[[Path], None]) -> Iterator[Settings]:
    """Roots are the working directory and the home."""
    work = tmp_path / "work"
    work.mkdir()
    python = tmp_path / "envs" / "ml" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    home = tmp_path / "home"
    yield Settings(home=home, envs=tmp_path / "envs", roots=(work, home), disk_reserve_bytes=1_000_000)
    end_processes_of(home)  # the supervisor of jobs that wait for their time


@pytest.fixture
def work(settings: Settings) -> Path:
    """The caller's folder."""
    return settings.roots[0]


@pytest.fixture
def context(settings: Settings) -> ToolContext:
    """What tools get."""
    return ToolContext(settings, Runner(settings))


@pytest.fixture
def anyio_backend() -> str:
    """asyncio alone."""
    return "asyncio"
