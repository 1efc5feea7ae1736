"""Processes of this machine, found by their environment."""

import contextlib
import os
from pathlib import Path


def find_processes(name: str, value: object) -> list[int]:
    """Find the processes, except this one, that were started with an environment variable."""
    entry = f"{name}={value}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # it has ended, or belongs to another user
            if folder.name.isdigit() and entry in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return [pid for pid in found if pid != os.getpid()]
