"""The work of the chaos rounds: it writes what happened to a journal outside the home."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from jobs.param_types import OutputPath, Strict
from jobs.runner.job_kind import JobKind
from jobs.runner.worker.context import JobContext

EXIT_CODE = 7


class Params(Strict):
    """``journal`` gets a line per event; ``ends`` says how."""

    journal: OutputPath
    number: int
    seconds: float
    ends: str


class Result(Strict):
    """The number again."""

    number: int


def run(params: Params, context: JobContext) -> Result:
    """Work for a while under a lock that no second worker of the same job may hold."""
    note(params.journal, f"start {os.getpid()}")
    with Path(f"{params.journal}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note(params.journal, "double")
        until = time.monotonic() + params.seconds
        while time.monotonic() < until:
            context.raise_if_cancelled()
            context.progress(params.number, None, "working")
            time.sleep(0.01)
        note(params.journal, "end")
        if params.ends == "exit":
            os._exit(EXIT_CODE)
    return Result(number=params.number)


def note(journal: str, line: str) -> None:
    """Append a line that survives whatever kills us."""
    descriptor = os.open(journal, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


KIND = JobKind(name="chaos", params=Params, result=Result, entry="chaos_kind:run", max_tries=5)
