"""The job kind ``training``."""

from __future__ import annotations

from jobs.runner.job_kind import JobKind
from jobs.training.params import Params, Result, check, plan, suggest

KIND = JobKind(
    name="training",
    params=Params,
    result=Result,
    entry="jobs.training.work:run",
    resource="gpu",
    check=check,
    suggest=suggest,
    plan=plan,
)
