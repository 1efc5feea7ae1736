"""Waiting for a job's end, with progress reports, for a time that every client allows a call."""

from __future__ import annotations

import time

from anyio import to_thread

from jobs.runner.models import JobRecord
from tools.core.job_view import progress_text
from tools.core.tool_types import ToolContext

# Seconds of one wait in a thread: a client that disconnects is noticed after this.
TURN_S = 1.0


async def wait_for(job_id: str, wait_s: float, context: ToolContext) -> JobRecord:
    """Return a job when it is finished, at the latest after ``wait_s``.

    Raises:
        UserError: ``job_unknown``.
    """
    deadline = time.monotonic() + wait_s
    best = -1.0
    record = await to_thread.run_sync(context.runner.get, job_id)
    while not record.is_finished and (left_s := deadline - time.monotonic()) > 0:
        newest = await to_thread.run_sync(context.runner.progress, job_id)
        if newest is not None and newest.done > best:  # a client may refuse progress that does not rise
            best = newest.done
            await context.report(newest.done, newest.total, progress_text(newest))
        turn_s = min(TURN_S, left_s)
        record = await to_thread.run_sync(context.runner.wait, job_id, turn_s, abandon_on_cancel=True)
    return record
