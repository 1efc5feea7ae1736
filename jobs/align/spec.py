"""The job kind ``align``."""

from __future__ import annotations

from jobs.align.params import Params, Result, check, plan
from jobs.runner.job_kind import JobKind

KIND = JobKind(
    name="align",
    params=Params,
    result=Result,
    entry="jobs.align.work:run",
    resource="gpu",
    check=check,
    plan=plan,
)
