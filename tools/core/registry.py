"""Finds the tools: every public module of this folder that holds a function of its own name.

Nothing is registered by hand; a new file is a new tool. Private modules (``_name.py``) are parts of tools.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, get_type_hints

from pydantic import BaseModel

import tools
from jobs.errors import UserError
from jobs.param_types import Strict
from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import JobKind
from jobs.runner.models import JobRecord
from tools.core.tool_types import Hints, ToolContext
from tools.inputs.arguments import nearest


@dataclass(frozen=True)
class Tool:
    """One tool, as every door needs it.

    Attributes:
        name: module, function, MCP tool and shell command.
        run: the function.
        args: strict model of the arguments.
        result: model of the answer.
        hints: what a client may assume.
        description: the docstring, for the agent.
        kind: the kind of job that the tool starts, if it starts one.
        next: what to do when such a job has succeeded, or a function that tells; ``{field}`` stands for a field of the
            job's result.
    """

    name: str
    run: Callable[[Any, ToolContext], Awaitable[BaseModel]]
    args: type[Strict]
    result: type[BaseModel]
    hints: Hints
    description: str
    kind: JobKind | None = None
    next: str | Callable[[JobRecord, Runner], str] = ""

    def next_move(self, record: JobRecord, runner: Runner) -> str:
        """What to do when a job of this tool has succeeded; a field that its result lacks stays as its name."""
        words = self.next if isinstance(self.next, str) else self.next(record, runner)
        return re.sub(r"\{(\w+)\}", lambda gap: str((record.result or {}).get(gap[1], gap[1])), words)

    @property
    def summary(self) -> str:
        """First sentence of the description."""
        return self.description.split("\n\n")[0].replace("\n", " ")


@cache
def all_tools() -> Mapping[str, Tool]:
    """Every tool by name, in alphabetical order (a stable order keeps the agent's prompt cache)."""
    names = sorted(module.name for module in pkgutil.iter_modules(tools.__path__) if not module.ispkg)
    return MappingProxyType({name: _load(name) for name in names})


def tool_of_kind(kind: str) -> Tool | None:
    """The tool that starts jobs of a kind."""
    return next((tool for tool in all_tools().values() if tool.kind is not None and tool.kind.name == kind), None)


def tool_named(name: str) -> Tool:
    """A tool.

    Raises:
        UserError: ``unknown_tool``, with the nearest name.
    """
    tools = all_tools()
    if name in tools:
        return tools[name]
    near = nearest(name, {tool.name: tool.summary for tool in tools.values()})
    meant = f" Did you mean {near!r}?" if near else ""
    raise UserError("unknown_tool", f"There is no tool {name!r}.{meant}", f"The tools: {', '.join(tools)}.")


def _load(name: str) -> Tool:
    module = importlib.import_module(f"tools.{name}")
    function = getattr(module, name, None)
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"tools/{name}.py must hold `async def {name}(args, context)`.")
    hints = get_type_hints(function)
    args, result = hints["args"], hints["return"]
    if not (isinstance(args, type) and issubclass(args, Strict) and issubclass(result, BaseModel)):
        raise TypeError(f"tools/{name}.py: args must be a strict model and the answer a pydantic model.")
    if not function.__doc__:
        raise TypeError(f"tools/{name}.py: the function needs a docstring for the agent.")
    return Tool(
        name=name,
        run=function,
        args=args,
        result=result,
        hints=module.HINTS,
        description=inspect.cleandoc(function.__doc__),
        kind=getattr(module, "KIND", None),
        next=getattr(module, "NEXT", ""),
    )
