"""The job kind ``refine_voice``."""

from __future__ import annotations

from jobs.refine_voice.params import Params, Result, check
from jobs.runner.job_kind import JobKind

KIND = JobKind(
    name="refine_voice",
    params=Params,
    result=Result,
    entry="jobs.refine_voice.work:run",
    resource="director",
    max_tries=20,  # it costs seconds to take up the loop again, and its jobs go on meanwhile
    check=check,
)
