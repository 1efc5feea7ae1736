"""Registry of the tools: one for every kind of job that declares it, and one for every public module of ``tools``.

Nothing is registered by hand. A module holds ``async def NAME(args, context)`` of its own name, or ``make_tools()``
that returns several; a function takes the place of a tool of the same name that was made of a kind.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, get_type_hints

from pydantic import BaseModel

import tools
from jobs.errors import UserError
from jobs.imports import collection_paused
from jobs.param_types import Strict
from jobs.runner.call_text import value_text
from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import JobKind, ShellCommand
from jobs.runner.models import JobRecord
from tools.core.tool_types import Hints, ToolContext
from tools.inputs.arguments import nearest


@dataclass(frozen=True)
class Tool:
    """One tool, for MCP, the shell and the pages alike; it may start a job of ``kind``.

    ``description`` is for the agent; its first sentence stands alone in lists.
    """

    name: str
    run: Callable[[Any, ToolContext], Awaitable[BaseModel]]
    args: type[Strict]
    result: type[BaseModel]
    hints: Hints
    description: str
    kind: JobKind | None = None

    @property
    def commands(self) -> tuple[ShellCommand, ...]:
        """Words of the original skill for the same work."""
        return self.kind.tool.commands if self.kind is not None and self.kind.tool is not None else ()

    def next_step(self, record: JobRecord, runner: Runner) -> str:
        """Return what to do when a job of this tool has succeeded, with values of its result as calls hold them.

        A field that its result lacks stays as its name.
        """
        after = self.hints.next
        if not isinstance(after, str):
            try:
                return after(record, runner)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError):  # of a worker that was taken over
                return "Its result is not of the form that this kind of job gives; do not rely on it."
        return re.sub(r"\{(\w+)\}", lambda gap: value_text((record.result or {}).get(gap[1], gap[1])), after)

    @property
    def summary(self) -> str:
        """First sentence of the description."""
        return self.description.split("\n\n")[0].replace("\n", " ")


@cache
def all_tools() -> Mapping[str, Tool]:
    """Return every tool by name, in alphabetical order: a stable order keeps the agent's prompt cache."""
    names = sorted(module.name for module in pkgutil.iter_modules(tools.__path__) if not module.ispkg)
    with collection_paused():
        modules = [importlib.import_module(f"tools.{name}") for name in names]
    made = [tool for module in modules if hasattr(module, "make_tools") for tool in module.make_tools()]
    written = [_read_module(module) for module in modules if not hasattr(module, "make_tools")]
    found = {tool.name: tool for tool in (*made, *written)}
    return MappingProxyType({name: found[name] for name in sorted(found)})


def ordered_tools() -> Iterator[Tool]:
    """Return the tools in the order of the work."""
    return iter(sorted(all_tools().values(), key=lambda tool: tool.hints.order))


def find_kind_tool(kind: str) -> Tool | None:
    """Return the tool that starts jobs of a kind."""
    return next((tool for tool in all_tools().values() if tool.kind is not None and tool.kind.name == kind), None)


def find_tool(name: str) -> Tool:
    """Return a tool. Raises ``UserError``: ``unknown_tool``, with the nearest name."""
    tools = all_tools()
    if name in tools:
        return tools[name]
    near = nearest(name, {tool.name: tool.summary for tool in tools.values()})
    meant = f" Did you mean {near!r}?" if near else ""
    raise UserError("unknown_tool", f"There is no tool {name!r}.{meant}", f"The tools: {', '.join(tools)}.")


def _read_module(module: Any) -> Tool:
    """Make a tool of a module's function; what the module does not say is in its kind's declaration."""
    name = module.__name__.removeprefix("tools.")
    function = getattr(module, name, None)
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"tools/{name}.py must hold `async def {name}(args, context)`.")
    types = get_type_hints(function)
    args, result = types["args"], types["return"]
    if not (isinstance(args, type) and issubclass(args, Strict) and issubclass(result, BaseModel)):
        raise TypeError(f"tools/{name}.py: args must be a strict model and the answer a pydantic model.")
    kind: JobKind | None = getattr(module, "KIND", None)
    if kind is not None and kind.tool is not None:
        return Tool(name, function, args, result, kind.tool, kind.tool.description, kind)
    if not function.__doc__:
        raise TypeError(f"tools/{name}.py: the function needs a docstring for the agent.")
    return Tool(name, function, args, result, module.HINTS, inspect.cleandoc(function.__doc__), kind)
