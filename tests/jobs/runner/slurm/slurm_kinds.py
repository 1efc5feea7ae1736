"""Kinds of work that show what Slurm does to them; the worker finds this module through PYTHONPATH."""

from __future__ import annotations

import os
import time
from pathlib import Path

from jobs.param_types import Strict
from jobs.runner.job_kind import JobKind
from jobs.runner.worker.context import Cancelled, JobContext

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


class TogetherParams(Strict):
    """Processes that add up their ranks; with ``gate`` they go on adding until it is there."""

    n_processes: int
    gate: str = ""


class TogetherResult(Strict):
    """What the first process has seen."""

    world_size: int
    sum_of_ranks: int


def together(params: TogetherParams, context: JobContext) -> TogetherResult:
    """Add up the ranks of all processes (gloo, CPU); they agree on when to stop, as a training must."""
    import torch
    import torch.distributed

    torch.distributed.init_process_group("gloo")
    rank, world_size = torch.distributed.get_rank(), torch.distributed.get_world_size()
    step = 0
    while True:
        numbers = torch.tensor([rank, int(context.is_cancelled)])
        torch.distributed.all_reduce(numbers)
        step += 1
        context.progress(step, None, "adding")
        if numbers[1] > 0:
            torch.distributed.destroy_process_group()
            raise Cancelled
        if not params.gate or Path(params.gate).exists():
            break
        time.sleep(WAIT_S)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    return TogetherResult(world_size=world_size, sum_of_ranks=int(numbers[0]))


TOGETHER = JobKind(
    name="together", params=TogetherParams, result=TogetherResult, entry="slurm_kinds:together", environment="ml"
)
