"""What every test may need: no process of a test's home outlives the test."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

BOUND_S = 60.0  # generous: the machine may be busy; a test that passes never waits so long


@pytest.fixture(scope="session")
def end_processes_of() -> Callable[[Path], None]:
    """Kills every process whose ``TTS_TRAIN_HOME`` is the given folder."""

    def end(home: Path) -> None:
        deadline = time.monotonic() + BOUND_S
        while left := _processes_of(home):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            assert time.monotonic() < deadline, f"{left} cannot be ended"

    return end


def _processes_of(home: Path) -> list[int]:
    mark = f"TTS_TRAIN_HOME={home}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return [pid for pid in found if pid != os.getpid()]
