"""The job kind ``ingest_audiobook``."""

from __future__ import annotations

from jobs.ingest_audiobook.params import Params, Result, check, plan
from jobs.runner.job_kind import JobKind

KIND = JobKind(
    name="ingest_audiobook",
    params=Params,
    result=Result,
    entry="jobs.ingest_audiobook.work:run",
    check=check,
    plan=plan,
)
