"""The tool ``get_job``."""

from __future__ import annotations

import time

from anyio import to_thread
from pydantic import Field

from jobs.fields import Strict
from jobs.runner.records import JobRecord
from tools._contract import Hints, ToolContext
from tools._view import JobView, progress_text, view_job

HINTS = Hints(title="Look at a job, or wait for it", read_only=True)
# One turn of waiting in a thread: a client that leaves is noticed after this.
TURN_S = 1.0


class GetJobArgs(Strict):
    """Arguments of ``get_job``."""

    job_id: str = Field(description="From the tool that started it, or from list_jobs.")
    wait_s: float = Field(
        0, ge=0, le=50, description="Wait until the job is finished, at most this many seconds; 50 suits every client."
    )
    log_lines: int | None = Field(
        None, ge=0, le=200, description="Newest lines of the log. Default: 5 while it runs, 15 when it failed, else 0."
    )


async def get_job(args: GetJobArgs, context: ToolContext) -> JobView:
    """State, progress, result, error and newest log lines of a job; with wait_s it waits for the end.

    Use it after every tool that answers with a job_id: call it with wait_s=50 again and again until poll_after_s is
    null. Costs nothing, changes nothing. `next` says what to do; a finished job's `result` names its files.
    """
    record = await _wait(args, context)
    return await to_thread.run_sync(view_job, record, context.runner, args.log_lines)


async def _wait(args: GetJobArgs, context: ToolContext) -> JobRecord:
    deadline = time.monotonic() + args.wait_s
    best = -1.0
    record = await to_thread.run_sync(context.runner.get, args.job_id)
    while not record.is_finished and (left_s := deadline - time.monotonic()) > 0:
        newest = await to_thread.run_sync(context.runner.progress, args.job_id)
        if newest is not None and newest.done > best:  # a client may refuse progress that does not rise
            best = newest.done
            await context.report(newest.done, newest.total, progress_text(newest))
        turn_s = min(TURN_S, left_s)
        record = await to_thread.run_sync(context.runner.wait, args.job_id, turn_s, abandon_on_cancel=True)
    return record
