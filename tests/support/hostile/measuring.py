"""Time and memory that a reader needs for each file of a table of builders, in a process of its own.

    python -m tests.support.hostile.measuring tests.support.hostile.manifests:BUILDERS tests.….test_x:read_all

The reader takes the path and may raise ``UserError``. Prints a line of JSON for each file.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import UserError


@dataclass(frozen=True)
class Measured:
    """Cost of a file: error code (empty: read), CPU seconds, peak of resident memory in bytes."""

    name: str
    code: str
    cpu_s: float
    peak_bytes: int


def measure(table: str, reader: str) -> list[Measured]:
    """Read every file of a table with a reader, both named ``module:name``, in a child process."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, table, reader],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [Measured(**json.loads(line)) for line in done.stdout.splitlines()]


def _find(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _peak_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _main(table: str, reader: str) -> None:
    builders, read = _find(table), _find(reader)
    for name, build in builders.items():
        with tempfile.TemporaryDirectory() as folder:
            path = build(Path(folder))
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            code, start = "", time.process_time()
            try:
                read(path)
            except UserError as error:
                code = error.code
            print(json.dumps(Measured(name, code, time.process_time() - start, _peak_bytes()).__dict__))  # noqa: T201


if __name__ == "__main__":
    _main(*sys.argv[1:])
