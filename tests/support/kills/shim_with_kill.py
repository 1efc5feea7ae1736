"""A shim that is killed when it comes to a line for the n-th time: ``MODULE LINE N``, then the shim's arguments."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from types import FrameType
from typing import Any

from jobs.runner.shim import shim


def main() -> None:
    """Trace the lines of the module, and run the shim."""
    module, line, n_left = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    del sys.argv[1:4]
    spec = importlib.util.find_spec(module)
    assert spec is not None

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal n_left
        if frame.f_code.co_filename != spec.origin:
            return None
        if event == "line" and frame.f_lineno == line:
            n_left -= 1
            if not n_left:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    shim.main()


if __name__ == "__main__":
    main()
