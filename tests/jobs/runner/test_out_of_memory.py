"""The kernel's out-of-memory killer, for real: a worker in a memory cgroup takes more than it may."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from jobs.runner.client.runner import Runner
from jobs.settings import Settings


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
