"""Real jobs for one GPU: they take turns, and they wait for a program that is none of ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.gpu.support.case import Outcome, Setting, judge
from bench.support.runner_kind import GPU, Params
from jobs.files import records
from jobs.runner.client.runner import Runner
from jobs.runner.paths import Home
from jobs.settings import Settings

PATIENCE_S = 60.0
LOOK_S = 0.05
SECOND_COULD_START_S = 2.0
"""A supervisor starts a job within 0.3 s."""


@dataclass(frozen=True)
class GpuHome:
    """A home whose jobs have one GPU."""

    runner: Runner
    home: Home
    gate: Path

    def submit(self, number: int, *, gated: bool) -> str:
        """Submit a job that ends at once, or when the gate opens."""
        return self.runner.submit(GPU, Params(gate=str(self.gate) if gated else "", number=number)).job.job_id

    def hold(self) -> str:
        """Return what the supervisor says that jobs of the GPU wait for."""
        return str((records.read_record(self.home.holds) or {}).get("gpu", ""))


@contextmanager
def one_gpu(folder: Path) -> Iterator[GpuHome]:
    """Make a home, and end its supervisor afterwards."""
    with tempfile.TemporaryDirectory(prefix="jobs-", dir=folder, ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        python = scratch / "envs" / "ml" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
        python.chmod(0o755)
        settings = Settings(
            home=scratch / "home", envs=scratch / "envs", roots=(scratch,), gpu_slots=1, disk_reserve_bytes=1_000_000
        )
        made = GpuHome(Runner(settings), Home(settings.home), scratch / "gate")
        try:
            yield made
        finally:
            made.gate.touch()
            if made.home.supervisor_lock.exists():
                os.kill(int(made.home.supervisor_lock.read_text(encoding="ascii")), signal.SIGKILL)


def take_turns(setting: Setting) -> Outcome:
    """Submit two jobs for one GPU."""
    with one_gpu(setting.folder) as jobs:
        ids = [jobs.submit(number, gated=True) for number in range(2)]
        if not _until(lambda: jobs.runner.get(ids[0]).state == "running"):
            return judge(False, f"The first job does not start. {jobs.hold()}")
        time.sleep(SECOND_COULD_START_S)
        meanwhile = jobs.runner.get(ids[1]).state
        jobs.gate.touch()
        first, second = (jobs.runner.wait(each, PATIENCE_S) for each in ids)
    states = (first.state, second.state)
    return judge(
        meanwhile == "queued" and states == ("succeeded", "succeeded"),
        f"While one job ran, the other was {meanwhile}; then they were {' and '.join(states)}.",
    )


def wait_for_a_stranger(setting: Setting, holding: str) -> Outcome:
    """Submit a job while another program computes on the GPU.

    Args:
        holding: the program's source; it prints a line when it holds memory, and ends with its input.
    """
    with one_gpu(setting.folder) as jobs:
        stranger = subprocess.Popen(
            [sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert stranger.stdout is not None
        stranger.stdout.readline()
        job = jobs.submit(0, gated=False)
        said = _until(lambda: bool(jobs.hold()))
        hold, meanwhile = jobs.hold(), jobs.runner.get(job).state
        stranger.communicate()
        state = jobs.runner.wait(job, PATIENCE_S).state
    return judge(
        said and meanwhile == "queued" and state == "succeeded",
        f"Beside another program the job was {meanwhile} ({hold or 'no reason was given'}); after it, {state}.",
    )


def _until(is_so: Callable[[], bool]) -> bool:
    """Look until something is so, or patience ends."""
    ends = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > ends:
            return False
        time.sleep(LOOK_S)
    return True
