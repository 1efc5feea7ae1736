"""A tool of the tests that has a defect, and one that writes to stdout."""

from __future__ import annotations

import os
import sys
from typing import Literal

from pydantic import BaseModel

from jobs.param_types import Strict
from tools.core.tool_types import Hints, ToolContext

HINTS = Hints(title="Crash")


class CrashArgs(Strict):
    """Kind of misbehaviour."""

    how: Literal["defect", "print", "write"]


class CrashAnswer(BaseModel):
    """Nothing."""


async def crash(args: CrashArgs, context: ToolContext) -> CrashAnswer:
    """Misbehave."""
    if args.how == "defect":
        raise RuntimeError("secret detail")
    if args.how == "print":
        sys.stdout.write("stray words on stdout\n")
        sys.stdout.flush()
    else:
        os.write(1, b"stray bytes on descriptor 1\n")
    return CrashAnswer()
