"""The job kind ``rate_samples``."""

from __future__ import annotations

from jobs.rate_samples.params import Params, Result, check
from jobs.runner.job_kind import JobKind

KIND = JobKind(name="rate_samples", params=Params, result=Result, entry="jobs.rate_samples.work:run", check=check)
