"""Processes of this machine, found by their environment."""

import contextlib
import os
from pathlib import Path


def find_processes(name: str, value: object) -> list[int]:
    """Find the processes, except this one, that were started with an environment variable."""
    pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return [pid for pid in pids if pid != os.getpid() and was_started_with(pid, name, value)]


def was_started_with(pid: int, name: str, value: object) -> bool:
    """Return whether a process lives and was started with an environment variable."""
    with contextlib.suppress(OSError):  # it has ended, or belongs to another user
        return f"{name}={value}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def make_job_id(kind: str) -> str:
    """Return a job id that only this process of the tests has: leftover processes of an attempt are found by it."""
    return f"{kind}-20260101-000000-{os.getpid() % 0x10000:04x}"
