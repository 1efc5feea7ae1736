"""A kind of work for the conformance suite: takes a while, and fails if asked to."""

from __future__ import annotations

import time

from pydantic import Field

from jobs.errors import UserError
from jobs.param_types import Strict
from jobs.runner.job_kind import JobKind
from jobs.runner.worker.context import JobContext


class Params(Strict):
    """Duration and outcome."""

    seconds: float = Field(0.5, ge=0, le=60)
    fails: bool = False
    label: str = ""


class Result(Strict):
    """The computed value."""

    answer: int
    label: str = ""


def run(params: Params, context: JobContext) -> Result:
    """Wait."""
    until = time.monotonic() + params.seconds
    while time.monotonic() < until:
        context.raise_if_cancelled()
        time.sleep(0.01)
    if params.fails:
        raise UserError("computing_failed", "It failed, as it was asked to.")
    return Result(answer=42, label=params.label)


KIND = JobKind(name="computing", params=Params, result=Result, entry="computing:run")
