"""The job kind ``ingest_clips``."""

from __future__ import annotations

from jobs.ingest_clips.params import Params, Result, check
from jobs.runner.job_kind import JobKind

KIND = JobKind(name="ingest_clips", params=Params, result=Result, entry="jobs.ingest_clips.work:run", check=check)
