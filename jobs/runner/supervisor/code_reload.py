"""Detection of new code on the disk, for a long-lived process. stdlib only."""

import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

JOBS = Path(__file__).resolve().parents[2]
MODULES = ("*.py", "files/*.py", "trust/*.py", "runner/**/*.py")
CHECK_TIMEOUT_S = 20.0

Signature: TypeAlias = frozenset[tuple[str, int, int]]


def signature(folder: Path = JOBS) -> Signature:
    """Return names, sizes and change times of the modules that match ``MODULES``: all that a supervisor loads."""
    found = set()
    for path in (path for pattern in MODULES for path in folder.glob(pattern)):
        try:
            stat = path.stat()
        except FileNotFoundError:  # replaced at this moment
            continue
        found.add((str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns))
    return frozenset(found)


def can_start(module: str) -> bool:
    """True when a module can be imported: an update may be half-way."""
    command = [sys.executable, "-S", "-c", f"import {module}"]
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=CHECK_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
