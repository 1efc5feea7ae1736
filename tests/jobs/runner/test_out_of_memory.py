"""The kernel's out-of-memory killer, for real: a worker in a memory cgroup takes more than it may."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.runner.client import Runner
from jobs.settings import Settings

LIMIT_BYTES = 64_000_000
V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


@pytest.fixture
def tasks_of_small_group() -> Iterator[Path]:
    """The file through which a process joins a group of 64 MB; made here, where root may."""
    is_v1 = (V1 / "memory.limit_in_bytes").exists()
    group = (V1 if is_v1 else V2) / f"tts-train-test-{os.getpid()}"
    limit = group / ("memory.limit_in_bytes" if is_v1 else "memory.max")
    try:
        group.mkdir()
        limit.write_text(str(LIMIT_BYTES))
        swap = group / ("memory.memsw.limit_in_bytes" if is_v1 else "memory.swap.max")
        if swap.exists():
            swap.write_text(str(LIMIT_BYTES) if is_v1 else "0")
    except OSError as error:
        if group.exists():
            group.rmdir()
        pytest.skip(f"no memory cgroup can be made here: {error}")
    yield group / "cgroup.procs"
    group.rmdir()


def test_a_worker_that_the_kernel_kills_for_memory_is_told_apart_and_others_go_on(
    settings: Settings, tasks_of_small_group: Path, tmp_path: Path
) -> None:
    from tiny_kinds import ADD, HOARD, AddParams, HoardParams

    python = settings.python("ml")
    python.write_text(f'#!/bin/sh\necho $$ > {tasks_of_small_group}\nexec "{sys.executable}" "$@"\n')
    runner = Runner(replace(settings))

    hoarder = runner.submit(HOARD, HoardParams(megabytes=500)).job.job_id
    killed = runner.wait(hoarder, 120)
    other = runner.wait(runner.submit(ADD, AddParams(numbers=[1, 2])).job.job_id, 60)

    assert (killed.state, killed.reason, killed.exit_code) == ("failed", "oom_likely", -9)
    assert "memory" in killed.detail
    assert other.state == "succeeded"
