"""The tool ``get_job``."""

from anyio import to_thread
from pydantic import Field

from jobs.param_types import Strict
from jobs.runner.client.runner import Runner
from tools.core.job_view import view_job, wait_for
from tools.core.tool_types import Hints, ToolContext
from tools.core.views import JobView

HINTS = Hints(title="Look at a job, or wait for it", read_only=True, order=920)


class GetJobArgs(Strict):
    """Arguments of ``get_job``."""

    job_id: str = Field(description="")
    wait_s: float = Field(0, ge=0, le=50, description="Wait for its end, seconds.")
    log_lines: int | None = Field(None, ge=0, le=200, description="Default: 4 while it runs, 6 if it failed.")
    detail: bool = Field(False, description="All of a long result, all artifacts.")


async def get_job(args: GetJobArgs, context: ToolContext) -> JobView:
    """State, progress, result, error and log of a job; with wait_s it waits for the end.

    After a start call: wait_s=50, again until it is finished; then do what `next` says. Free.
    """
    if args.wait_s:
        await wait_for(args.job_id, args.wait_s, context)
    return await to_thread.run_sync(_look, args, context.runner)


def _look(args: GetJobArgs, runner: Runner) -> JobView:
    return view_job(runner.get(args.job_id), runner, args.log_lines, detail=args.detail)
