"""Declaration of the job kind ``serve_voice``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.cost import Cost
from jobs.runner.call_text import call_text
from jobs.runner.job_kind import Example, JobKind, StartTool
from jobs.serve_voice.params import Params, Result, check

if TYPE_CHECKING:
    from jobs.runner.client.runner import Runner
    from jobs.runner.models import JobRecord


def next_step(record: JobRecord, _: Runner) -> str:
    """Name the call that serves again."""
    call = call_text("serve_voice", {"voices": record.params["voices"]})
    return f"It ended for want of requests. To serve again: {call}"


KIND = JobKind(
    name="serve_voice",
    params=Params,
    result=Result,
    entry="jobs.serve_voice.work:run",
    resource="service",
    check=check,
    # the time is that of loading: it serves until it is ended
    cost=Cost(lambda params: len(params["voices"]), unit="voices", s_each=30, s_fixed=5, memory_mb=7500, bytes_each=0),
    tool=StartTool(
        title="Keep voices loaded and serve them",
        description="""\
Keep voices loaded: synthesize of them starts at once, and programs speak over HTTP as with OpenAI (/v1/audio/speech).

A job that runs until cancel_job or hours without a take. Its progress names address and token file. It gives its memory
to trainings meanwhile.""",
        order=92,
        next=next_step,
        examples=(Example("A voice by its name", {"voices": ["anna"], "port": 8880}),),
    ),
)
