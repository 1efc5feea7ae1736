"""The work that ``bench/runner/runner.py`` submits: it waits for a file, and may resist being stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from jobs.param_types import OutputPath, Strict
from jobs.runner.job_kind import JobKind
from jobs.runner.worker.context import JobContext


class Params(Strict):
    """``gate``: file to wait for. ``resists``: ignore a cancel, and leave a child in a session of its own."""

    gate: OutputPath = ""
    resists: bool = False
    number: int = 0


class Result(Strict):
    """Nothing."""


def run(params: Params, context: JobContext) -> Result:
    """Wait."""
    if params.resists:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"], start_new_session=True)
        Path(f"{params.gate}.child").write_text(f"{child.pid}\n")
    while params.gate and not Path(params.gate).exists():
        if not params.resists:
            context.raise_if_cancelled()
        time.sleep(0.01)
    return Result()


CPU = JobKind(name="bench_cpu", params=Params, result=Result, entry="bench.support.runner_kind:run", max_tries=1)
GPU = JobKind(
    name="bench_gpu", params=Params, result=Result, entry="bench.support.runner_kind:run", resource="gpu", max_tries=1
)
