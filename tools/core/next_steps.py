"""The next step after an answer about a job: the one call that makes sense now, with its arguments."""

from __future__ import annotations

from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from tools.core.call_text import call_text, chosen
from tools.core.registry import find_kind_tool


def next_step(record: JobRecord, runner: Runner) -> str:
    """Return what to do about a job in its present state."""
    job = record.job_id
    tool = find_kind_tool(record.kind)
    again = call_text(tool.name, chosen(record.params, tool.args)) if tool is not None else record.kind
    match record.state:
        case "queued" | "starting" | "interrupted":
            return f'Queued; no action needed. Poll with get_job job_id="{job}" wait_s=50.'
        case "running":
            return f'Running; no action needed. Call get_job job_id="{job}" wait_s=50 until it is finished.'
        case _ if record.is_collected:
            return f"Its files were deleted to free the disk (./run.sh gc). To make them anew call {again}"
        case "succeeded":
            return tool.next_step(record, runner) if tool is not None else ""
        case "cancelled" if record.reason == "dependency":
            return f"It never ran. Look at the job that failed, fix the cause there; then call {again}"
        case "cancelled":
            return f"What it finished is kept. To continue call {again}"
        case _:
            hint = record.failure.hint if record.failure is not None else ""
            hint = hint or f'Read get_job job_id="{job}" log_lines=50 and fix the cause.'
            return f"{hint} The call was: {again}"
