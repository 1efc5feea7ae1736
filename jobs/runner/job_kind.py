"""Declaration of a job kind: parameters, result, code, outputs, cost, and the tool that starts it.

``jobs/<kind>/spec.py`` holds one ``KIND``. Everything else follows from it: the MCP tool, the shell command and its
help, the reference pages, the estimate of a dry run, and the names that stand for a job's output. Code is named by
an entry ``"package.module:function"`` and imported when it is called.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import jobs
from jobs.cost import Cost
from jobs.param_types import Strict
from jobs.runner.machine.limits import Limits
from jobs.settings import Settings

if TYPE_CHECKING:
    from jobs.runner.client.runner import Runner
    from jobs.runner.models import JobRecord

LAST = 500
"""Place in the order of the work of a tool that names none."""


@dataclass(frozen=True)
class Output:
    """A file or folder that a kind makes and other steps read.

    Attributes:
        holds: what it is: the word in the ``PathMark`` of the parameters that read it.
        result: field of the result that names it.
        parameter: parameter under which it is written; empty: its place is known when the job has succeeded.
        path: rest of the path below that parameter; empty: the parameter names the output itself.
        default: value of that parameter when the caller gives none, with ``{home}`` and ``{PARAMETER}``, for a path
            also ``{PARAMETER.parent}``; empty: the job's own folder.
        name: returns the name of a folder in ``default`` by the parameters, for an output that never replaces another
            one: of ``anna``, ``anna-2``, … the first that is free is chosen when the job is submitted. Empty: none.
        in_dataset: whether the name or the folder of a dataset stands for it.
    """

    holds: str
    result: str
    parameter: str = ""
    path: str = ""
    default: str = ""
    name: Callable[[Mapping[str, Any]], str] | None = None
    in_dataset: bool = False

    @property
    def file_name(self) -> str:
        """Name of the file in a dataset's folder."""
        return PurePosixPath(self.path or self.default).name

    def default_for(self, params: Mapping[str, Any], home: Path) -> str:
        """Return the value of the parameter when the caller gives none; paths in ``params`` are absolute."""
        fields = {name: Path(value) if isinstance(value, str) else value for name, value in params.items()}
        return self.default.format(home=home, **fields)


@dataclass(frozen=True)
class Example:
    """A call of a tool, shown in its help and in the pages."""

    about: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class ShellCommand:
    """A command of the shell that means a call of a tool; the original skill's commands are such.

    Attributes:
        name: word of the command line.
        positionals: arguments that may be given by place, in this order.
        flags: other names of arguments: flag to field.
        switches: flags that stand for a value: flag to (field, value).
        lowered: fields in which capitals are allowed and changed to lower case.
        words: flags that are no argument of the tool: flag to description.
        meaning: computes arguments of the tool from those flags, as given.
        about: one line for the overview.
    """

    name: str
    positionals: tuple[str, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict)
    switches: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    lowered: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    meaning: Callable[[Mapping[str, str]], dict[str, Any]] | None = None
    about: str = ""


@dataclass(frozen=True)
class Hints:
    """Title and annotations of a tool for MCP clients, and its place in lists and pages.

    Attributes:
        title: name for menus.
        read_only: changes nothing.
        destructive: may delete, replace or stop something; so does every tool with a parameter that is an output.
        idempotent: the same call twice is the same as once.
        open_world: reaches out to other services.
        order: place in the order of the work; tools are listed by it.
        step: what the step is called with and gives, for the workflow that an agent reads first; empty: not listed.
        next: what to do when a job that it started has succeeded, or a function that returns it; ``{field}`` stands
            for a field of the job's result, as calls hold it: ``Call align manifest={manifest}.``
        examples: calls to show.
    """

    title: str
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = True
    open_world: bool = False
    order: int = LAST
    step: str = ""
    next: str | Callable[[JobRecord, Runner], str] = ""
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StartTool(Hints):
    """The tool that starts jobs of a kind, as agents and people see it.

    Attributes:
        description: what it does, when to use it, what it costs, what comes back, what to call next. The first
            sentence stands alone in lists.
        name: of the tool; empty: the kind's own.
        commands: words of the original skill for the same work.
        arguments: fields of the tool that are no parameters of the job.
        complete: entry of ``(arguments, settings) -> dict``: arguments that follow from others, before any path is
            resolved.
    """

    description: str
    name: str = ""
    commands: tuple[ShellCommand, ...] = ()
    arguments: type[Strict] | None = None
    complete: str = ""


@dataclass(frozen=True)
class JobKind:
    """One kind of work.

    Attributes:
        name: the folder under ``jobs/``, and the first part of a job's id.
        params: strict model of what the worker gets; paths in it are absolute.
        result: model of what the worker returns.
        entry: entry of ``(params, context) -> result``.
        environment: the locked environment whose interpreter runs the worker.
        resource: the slot that a running job takes; ``director`` for work that only starts and waits for other jobs,
            ``service`` for work that serves until it is ended, and gives its memory back when others want it.
        max_tries: starts allowed when attempts are interrupted (killed, power cut) without progress; one that got
            further costs none, and a failure is not retried.
        check: fast check of the parameters (files, first manifest lines) that imports nothing heavy; raises
            ``UserError``. Called by the tool before a job exists and by the worker before anything heavy.
        suggest: entry of ``(params, given, settings) -> dict``: values for parameters that the caller left open, by
            this machine, so that what is stored is explicit. ``given``: names that the caller gave.
        plan: entry of ``(params, settings) -> dict``: what the work would do and take here, for a dry run; small.
        plan_ahead: the same before the inputs exist: what does not depend on them; ``speech_s`` is given where the
            speech of the steps before is known.
        idle: returns the parameters that have no effect beside the others, which a dry run does not list.
        outputs: what it makes for other steps.
        makes: all that it may write where a parameter says: for a folder (``…_dir``) the names in it, for a file the
            names beside it; as patterns with ``*``, and ``{name}`` and ``{stem}`` for the file's own name. A name that
            ends in ``/`` is a folder that later jobs continue: what people add to it does not keep them from it.
        writes: returns folders that it writes beside its own, those of output parameters and those of ``outputs``. A
            worker can write nowhere else, see ``jobs.runner.worker.confinement``.
        limits: returns the limits of its processes, for work that reads what anybody may have made.
        is_still_done: returns whether what a succeeded job did still holds, for work that leaves no artifact: the same
            call starts it again otherwise.
        cost: rule for the estimate of a dry run.
        tool: the tool that starts such jobs; None: there is none.
    """

    name: str
    params: type[Strict]
    result: type[Strict]
    entry: str
    environment: Literal["server", "ml"] = "ml"
    resource: Literal["cpu", "gpu", "director", "service"] = "cpu"
    max_tries: int = 3
    check: Callable[[Any], None] | None = None
    suggest: str = ""
    plan: str = ""
    plan_ahead: str = ""
    idle: Callable[[Any], Collection[str]] | None = None
    outputs: tuple[Output, ...] = ()
    makes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    writes: Callable[[Any], Iterable[Path]] | None = None
    limits: Callable[[Any], Limits] | None = None
    is_still_done: Callable[[Any, Settings], bool] | None = None
    cost: Cost | None = None
    tool: StartTool | None = None

    @property
    def module(self) -> str:
        """Name of the module that declares the kind: ``jobs.<kind>.spec``, beside ``jobs.<kind>.params``."""
        module = self.params.__module__
        return f"{module.removesuffix('.params')}.spec" if module.endswith(".params") else module

    @property
    def tool_name(self) -> str:
        """Name of the tool that starts such jobs."""
        return (self.tool.name if self.tool is not None else "") or self.name

    def make_suggestions(self, params: Strict, given: Collection[str], settings: Settings) -> dict[str, Any]:
        """Return values for parameters that the caller left open."""
        return dict(load_entry(self.suggest)(params, given, settings)) if self.suggest else {}

    def make_plan(
        self, params: Strict, settings: Settings, *, is_ahead: bool = False, speech_s: float | None = None
    ) -> dict[str, Any]:
        """Return what the work would do and take here.

        Args:
            is_ahead: other jobs have not written the inputs yet.
            speech_s: seconds of speech that those jobs will give at most.
        """
        entry = self.plan_ahead if is_ahead else self.plan
        known = {"speech_s": speech_s} if is_ahead and speech_s else {}
        return dict(load_entry(entry)(params, settings, **known)) if entry else {}

    def complete_arguments(self, args: Strict, settings: Settings) -> dict[str, Any]:
        """Return arguments of the tool that follow from those that were given."""
        entry = self.tool.complete if self.tool is not None else ""
        return dict(load_entry(entry)(args, settings)) if entry else {}


def load_entry(entry: str) -> Callable[..., Any]:
    """Import the function that ``"package.module:function"`` names."""
    module, _, name = entry.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def load_kind(module: str, name: str) -> JobKind:
    """Import a module and return the kind of that name which it declares.

    Raises:
        LookupError: the module declares no such kind.
    """
    for value in vars(importlib.import_module(module)).values():
        if isinstance(value, JobKind) and value.name == name:
            return value
    raise LookupError(f"{module} has no kind {name!r}")


@cache
def all_kinds() -> Mapping[str, JobKind]:
    """Return every kind that a folder of ``jobs`` declares, by name, in the order of the work."""
    folders = [(found.name, getattr(found.module_finder, "path", "")) for found in pkgutil.iter_modules(jobs.__path__)]
    kinds = [load_kind(f"jobs.{name}.spec", name) for name, base in folders if Path(base, name, "spec.py").is_file()]
    kinds.sort(key=lambda kind: (kind.tool.order if kind.tool is not None else LAST, kind.name))
    return MappingProxyType({kind.name: kind for kind in kinds})


def find_makers(holds: str) -> str:
    """Return the tools that make a dataset's file of this content: ``ingest_audiobook or ingest_clips``."""
    made = {kind.tool_name: [one.holds for one in kind.outputs if one.in_dataset] for kind in all_kinds().values()}
    return " or ".join(name for name, held in made.items() if holds in held)
