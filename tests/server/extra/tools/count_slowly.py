"""A tool of the tests: found by the registry like any other because its folder is on the tools' path."""

from __future__ import annotations

from counting import KIND, Params

from tools.core.start import start
from tools.core.tool_types import Hints, StartArgs, ToolContext
from tools.core.views import JobView

HINTS = Hints(title="Count slowly", next="Read {note}; it says {counted}.")


class CountSlowlyArgs(StartArgs, Params):
    """Arguments of ``count_slowly``."""


async def count_slowly(args: CountSlowlyArgs, context: ToolContext) -> JobView:
    """Count in the background."""
    return await start(KIND, args, context)
