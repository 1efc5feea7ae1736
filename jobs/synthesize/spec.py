"""The job kind ``synthesize``."""

from __future__ import annotations

from jobs.runner.job_kind import JobKind
from jobs.synthesize.params import Params, Result, check

KIND = JobKind(
    name="synthesize", params=Params, result=Result, entry="jobs.synthesize.work:run", resource="gpu", check=check
)
