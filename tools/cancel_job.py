"""The tool ``cancel_job``."""

from anyio import to_thread
from pydantic import Field

from jobs.param_types import Strict
from tools.core.job_view import view_job
from tools.core.tool_types import Hints, ToolContext
from tools.core.views import JobView

HINTS = Hints(title="Cancel a job", destructive=True, order=940)
# Most work reaches a safe point within this time; get_job shows the rest.
PATIENCE_S = 5.0


class CancelJobArgs(Strict):
    """Arguments of ``cancel_job``."""

    job_id: str = Field(description="")


async def cancel_job(args: CancelJobArgs, context: ToolContext) -> JobView:
    """Stop a job. What it finished is kept; the same start call continues it.

    Use it on request, or to free the GPU. Safe to repeat.
    """
    await to_thread.run_sync(context.runner.cancel, args.job_id)
    record = await to_thread.run_sync(context.runner.wait, args.job_id, PATIENCE_S, abandon_on_cancel=True)
    return await to_thread.run_sync(view_job, record, context.runner, 0)
