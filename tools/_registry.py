"""Finds the tools: every public module of this folder that holds a function of its own name.

Nothing is registered by hand; a new file is a new tool. Private modules (``_name.py``) are parts of tools.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, get_type_hints

from pydantic import BaseModel

import tools
from jobs.fields import Strict
from jobs.runner.kind import JobKind
from tools._contract import Hints, ToolContext


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
        next: what to do when such a job has succeeded; ``{field}`` stands for a field of the job's result.
    """

    name: str
    run: Callable[[Any, ToolContext], Awaitable[BaseModel]]
    args: type[Strict]
    result: type[BaseModel]
    hints: Hints
    description: str
    kind: JobKind | None = None
    next: str = ""

    @property
    def summary(self) -> str:
        """First sentence of the description."""
        return self.description.split("\n\n")[0].replace("\n", " ")

    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return _compact(self.args.model_json_schema(), is_answer=False)

    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the answer. Empty fields are left out of answers, so only true requirements are required."""
        return _compact(self.result.model_json_schema(mode="validation"), is_answer=True)


@cache
def all_tools() -> Mapping[str, Tool]:
    """Every tool by name, in alphabetical order (a stable order keeps the agent's prompt cache)."""
    names = sorted(module.name for module in pkgutil.iter_modules(tools.__path__) if not module.name.startswith("_"))
    return MappingProxyType({name: _load(name) for name in names})


def tool_of_kind(kind: str) -> Tool | None:
    """The tool that starts jobs of a kind."""
    return next((tool for tool in all_tools().values() if tool.kind is not None and tool.kind.name == kind), None)


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


def _compact(schema: dict[str, Any], *, is_answer: bool) -> dict[str, Any]:
    """A model's schema without what nobody acts on: the agent pays for every word of it, for all tools at once.

    Generated titles and the models' own docstrings go, and the descriptions of answers, which speak for themselves.
    """
    compact = {key: value for key, value in schema.items() if key not in ("title", "description")}
    if "properties" in schema:
        fields = schema["properties"].items()
        compact["properties"] = {name: _compact_field(field, is_answer=is_answer) for name, field in fields}
    if "$defs" in schema:
        definitions = schema["$defs"].items()
        compact["$defs"] = {name: _compact(definition, is_answer=is_answer) for name, definition in definitions}
    return compact


def _compact_field(field: dict[str, Any], *, is_answer: bool) -> dict[str, Any]:
    """``X | None`` as a plain type; a default that says "nothing" is left out.

    In arguments null is not offered: leaving out is the same, and some clients refuse lists of types. In answers it is.
    """
    dropped = ("title", "rare", "description", "default") if is_answer else ("title", "rare")
    compact = {key: value for key, value in field.items() if key not in dropped}
    if compact.get("default", False) in (None, ""):
        del compact["default"]
    options = compact.get("anyOf", [])
    if len(options) == 2 and options[1] == {"type": "null"} and isinstance(options[0].get("type"), str):
        del compact["anyOf"]
        compact |= options[0] | ({"type": [options[0]["type"], "null"]} if is_answer else {})
    return compact
