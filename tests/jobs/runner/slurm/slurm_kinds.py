"""Kinds of work that show what Slurm does to them; the worker finds this module through PYTHONPATH."""

from __future__ import annotations

import os
import time
from pathlib import Path

from jobs.fields import Strict
from jobs.runner.context import JobContext
from jobs.runner.kind import JobKind

WAIT_S = 0.05


class CountParams(Strict):
    """``gate``: a file that ends the first attempt's waiting."""

    gate: str


class CountResult(Strict):
    """How many attempts have counted, from their checkpoint."""

    n_attempts: int
    gpus: str


def count(params: CountParams, context: JobContext) -> CountResult:
    """Count the attempts; the first stays at its safe point until it is told to stop, the next one is short."""
    checkpoint = context.folder / "checkpoint"
    n_attempts = int(checkpoint.read_text()) + 1 if checkpoint.exists() else 1
    checkpoint.write_text(str(n_attempts))
    context.progress(n_attempts, 2, "counting")
    while n_attempts == 1 and not Path(params.gate).exists():
        context.raise_if_cancelled()
        time.sleep(WAIT_S)
    return CountResult(n_attempts=n_attempts, gpus=os.environ.get("CUDA_VISIBLE_DEVICES", ""))


COUNT = JobKind(
    name="count", params=CountParams, result=CountResult, entry="slurm_kinds:count", environment="ml", resource="gpu"
)
