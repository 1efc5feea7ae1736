"""What a kind of work is: its parameters, its result, and the name of the code that does it.

``jobs/<kind>/spec.py`` holds one ``KIND``; the heavy code is named by a string and imported by the worker alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

from jobs.param_types import Strict
from jobs.settings import Settings


@dataclass(frozen=True)
class JobKind:
    """One kind of work.

    Attributes:
        name: the folder under ``jobs/``, and the first part of a job's id.
        params: strict model of what the worker gets; paths in it are absolute.
        result: model of what the worker returns.
        entry: ``"package.module:function"``; called as ``function(params, context) -> result``.
        environment: the locked environment whose interpreter runs the worker.
        resource: the slot that a running job takes; ``director`` for work that only starts and waits for other jobs.
        max_tries: starts allowed when an attempt is interrupted (killed, power cut); a failure is not retried.
        check: light, fast check of the parameters (files, first manifest lines); raises ``UserError``. Called
            by the tool before a job exists and by the worker before anything heavy.
        suggest: values for parameters that the caller left open, by this machine; called by the tool with the
            parameters and the names that the caller gave, so that what is stored is explicit.
        plan: light, fast: what the work would do and take here, for a dry run; a small JSON object.
    """

    name: str
    params: type[Strict]
    result: type[Strict]
    entry: str
    environment: Literal["server", "ml"] = "ml"
    resource: Literal["cpu", "gpu", "director"] = "cpu"
    max_tries: int = 3
    check: Callable[[Any], None] | None = None
    suggest: Callable[[Any, Collection[str], Settings], dict[str, Any]] | None = None
    plan: Callable[[Any, Settings], dict[str, Any]] | None = None

    @property
    def module(self) -> str:
        """Name of the module that declares the kind: ``jobs.<kind>.spec``, beside ``jobs.<kind>.params``."""
        module = self.params.__module__
        return f"{module.removesuffix('.params')}.spec" if module.endswith(".params") else module


def load_kind(module: str, name: str) -> JobKind:
    """Import a module and return the kind of that name which it declares.

    Raises:
        LookupError: the module declares no such kind.
    """
    for value in vars(importlib.import_module(module)).values():
        if isinstance(value, JobKind) and value.name == name:
            return value
    raise LookupError(f"{module} has no kind {name!r}")
