"""The job kind ``tune_hparams``."""

from __future__ import annotations

from jobs.runner.job_kind import JobKind
from jobs.tune_hparams.params import Params, Result, check, plan, suggest

KIND = JobKind(
    name="tune_hparams",
    params=Params,
    result=Result,
    entry="jobs.tune_hparams.work:run",
    resource="director",
    max_tries=20,  # it costs seconds to take up a search again, and its trials go on meanwhile
    check=check,
    suggest=suggest,
    plan=plan,
)
