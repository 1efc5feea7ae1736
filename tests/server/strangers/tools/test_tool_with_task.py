"""A tool that the conformance suite calls: asks first, then goes on as a job."""

from __future__ import annotations

from computing import KIND, Params
from pydantic import BaseModel

from jobs.param_types import Strict
from tools.core.start import start
from tools.core.tool_types import Hints, StartArgs, ToolContext
from tools.core.views import JobView

HINTS = Hints(title="Ask, then compute")


class TestToolWithTaskArgs(Strict):
    """Nothing."""


class ComputeArgs(StartArgs, Params):
    """Arguments of the product's start tools."""


class Name(BaseModel):
    """The form."""

    name: str


async def test_tool_with_task(args: TestToolWithTaskArgs, context: ToolContext) -> JobView:
    """Ask for a name and compute with it."""
    given = await context.ask("What is your name?", Name)
    label = given.name if given is not None else "anonymous"
    return await start(KIND, ComputeArgs(seconds=0.1, label=label, reuse=False), context)
