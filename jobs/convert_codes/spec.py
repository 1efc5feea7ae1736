"""The job kind ``convert_codes``."""

from __future__ import annotations

from jobs.convert_codes.params import Params, Result, check, plan
from jobs.runner.job_kind import JobKind

KIND = JobKind(
    name="convert_codes",
    params=Params,
    result=Result,
    entry="jobs.convert_codes.work:run",
    resource="gpu",
    check=check,
    plan=plan,
)
