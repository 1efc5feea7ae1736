"""What a kind of work is: its parameters, its result, and the name of the code that does it.

``jobs/<kind>/spec.py`` holds one ``KIND``; the heavy code is named by a string and imported by the worker alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from jobs.fields import Strict


@dataclass(frozen=True)
class JobKind:
    """One kind of work.

    Attributes:
        name: the folder under ``jobs/``, and the first part of a job's id.
        params: strict model of what the worker gets; paths in it are absolute.
        result: model of what the worker returns.
        entry: ``"package.module:function"``; called as ``function(params, context) -> result``.
        environment: the locked environment whose interpreter runs the worker.
        resource: the slot that a running job takes.
        max_tries: starts allowed when an attempt is interrupted (killed, power cut); a failure is not retried.
        check: light, fast check of the parameters (files, first manifest lines); raises ``UserError``. Called
            by the tool before a job exists and by the worker before anything heavy.
    """

    name: str
    params: type[Strict]
    result: type[Strict]
    entry: str
    environment: Literal["server", "ml"] = "ml"
    resource: Literal["cpu", "gpu"] = "cpu"
    max_tries: int = 3
    check: Callable[[Any], None] | None = None
