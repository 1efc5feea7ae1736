"""A tool that the conformance suite calls: a job that takes a while."""

from __future__ import annotations

from computing import KIND, Params

from jobs.param_types import Strict
from tools.core.start import start
from tools.core.tool_types import Hints, StartArgs, ToolContext
from tools.core.views import JobView

HINTS = Hints(title="Compute slowly")


class SlowComputeArgs(Strict):
    """Arguments that the suite sends."""

    seconds: float = 0.5
    label: str = ""


class ComputeArgs(StartArgs, Params):
    """Arguments of the product's start tools."""


async def slow_compute(args: SlowComputeArgs, context: ToolContext) -> JobView:
    """Compute for a while."""
    return await start(KIND, ComputeArgs(seconds=args.seconds, label=args.label, reuse=False), context)
