"""The tools that start a job, one for each kind that declares a tool in its ``spec`` module."""

from collections.abc import Iterator
from typing import cast

from pydantic import create_model

from jobs.param_types import Strict
from jobs.runner.job_kind import JobKind, StartTool, all_kinds
from tools.core.registry import Tool
from tools.core.start import start
from tools.core.tool_types import StartArgs, ToolContext
from tools.core.views import JobView


def make_tools() -> Iterator[Tool]:
    """Make a tool of every kind that declares one."""
    return (make_tool(kind, kind.tool) for kind in all_kinds().values() if kind.tool is not None)


def make_tool(kind: JobKind, tool: StartTool) -> Tool:
    """Make the tool that starts jobs of a kind."""

    async def run(args: StartArgs, context: ToolContext) -> JobView:
        args = args.model_copy(update=kind.complete_arguments(args, context.settings))
        return await start(kind, args, context)

    return Tool(kind.tool_name, run, make_arguments(kind), JobView, tool, tool.description, kind)


def make_arguments(kind: JobKind) -> type[StartArgs]:
    """Make the argument model of a kind's tool: the job's parameters, those of every start, the tool's own."""
    own = kind.tool.arguments if kind.tool is not None else None
    bases: tuple[type[Strict], ...] = (*([own] if own is not None else []), StartArgs, kind.params)
    name = "".join(part.capitalize() for part in kind.tool_name.split("_")) + "Args"
    return cast(type[StartArgs], create_model(name, __base__=bases, __doc__=f"Arguments of ``{kind.tool_name}``."))
