"""A home for a measurement: real jobs by this very interpreter, all ended and deleted afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.settings import PROJECT_ROOT, Settings
from tests.support.processes import find_processes


@contextmanager
def home_in(folder: Path) -> Iterator[Settings]:
    """Settings of a new home in a folder."""
    python = folder / "envs" / "ml" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nOMP_NUM_THREADS=1 exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    home = folder / "home"
    try:
        yield Settings(home, folder / "envs", (folder, PROJECT_ROOT, home), disk_reserve_bytes=1_000_000)
    finally:
        _end(home)


def _end(home: Path) -> None:
    for _ in range(100):
        found = find_processes("TTS_TRAIN_HOME", home)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return
        time.sleep(0.1)
