"""A tool that the conformance suite calls: a job that fails."""

from __future__ import annotations

from computing import KIND, Params

from jobs.param_types import Strict
from tools.core.start import start
from tools.core.tool_types import Hints, StartArgs, ToolContext
from tools.core.views import JobView

HINTS = Hints(title="Fail")


class FailingJobArgs(Strict):
    """Nothing."""


class ComputeArgs(StartArgs, Params):
    """Arguments of the product's start tools."""


async def failing_job(args: FailingJobArgs, context: ToolContext) -> JobView:
    """Fail in the background."""
    return await start(KIND, ComputeArgs(seconds=0, fails=True, reuse=False), context)
