"""A tool of the drill: found by the registry like any other because its folder is on the tools' path."""

from __future__ import annotations

from straining import KIND, Params

from tools.core.start import start
from tools.core.tool_types import Hints, StartArgs, ToolContext
from tools.core.views import JobView

HINTS = Hints(title="Strain the GPU", next="A batch of {batch_size} fits. Report it.")


class StrainArgs(StartArgs, Params):
    """Arguments of ``strain``."""


async def strain(args: StrainArgs, context: ToolContext) -> JobView:
    """Use as much memory as a batch needs."""
    return await start(KIND, args, context)
