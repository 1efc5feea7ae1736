"""Jobs on this machine: each started through a shim, observed by locks, files and processes. stdlib only.

The supervisor is a subreaper: the shims are its children, and so is the worker of a shim that was killed.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Sequence

from jobs.runner.machine import locks, processes
from jobs.runner.paths import AttemptFolder, Home
from jobs.runner.store import JobRow, Store
from jobs.runner.supervisor.lost_attempts import LostAttempts, start_later
from jobs.runner.supervisor.scheduler import ClaimedJob
from jobs.settings import Settings

logger = logging.getLogger("jobs.runner.supervisor")

MOST_CODES = 1000  # kept until their attempts are settled; children of workers that outlive them are collected, too


class LocalJobs:
    """Executor of this machine's jobs; ``shim`` are the interpreter's arguments that start one."""

    def __init__(
        self, settings: Settings, store: Store, home: Home, shim: Sequence[str] = ("-m", "jobs.runner.shim")
    ) -> None:
        self._settings = settings
        self._shim = shim
        self._store = store
        self._home = home
        self._shims: dict[int, tuple[str, int]] = {}  # pid of a child: its job and attempt
        self._codes: dict[tuple[int, str | None], int] = {}  # pid and start time of orphans: exit code
        self._lost = LostAttempts(settings, store, self._exit_code)

    def start(self, start: ClaimedJob) -> None:
        """Start the shim of a claimed attempt."""
        row = start.row
        command = [sys.executable, "-S", *self._shim, str(self._home.path), row.id, str(row.attempt)]
        try:
            environment = self._settings.to_environment() | start.variables
            shim = processes.start_logged(command, self._home.supervisor_log, environment)
        except OSError as error:
            logger.warning("%s: the shim cannot be started: %s", row.id, error)
            start_later(self._store, row)
            return
        self._shims[shim.pid] = (row.id, row.attempt)
        shim.returncode = 0  # reaped by ``reap``, not by Popen

    def reap(self) -> None:
        """Collect ended children: shims, and workers whose shim was killed."""
        for pid, started, code in processes.collect_ended():
            if self._shims.pop(pid, None) is None:
                self._codes[pid, started] = code
        while len(self._codes) > MOST_CODES:
            del self._codes[next(iter(self._codes))]

    def _exit_code(self, pid: int, started: str | None) -> int | None:
        self.reap()
        return self._codes.get((pid, started))

    def wakes_at_end(self, row: JobRow) -> bool:
        """True when the end of an attempt wakes us: its shim is our child."""
        return row.state == "running" and (row.id, row.attempt) in self._shims.values()

    def look_after(self, row: JobRow) -> None:
        """Check an attempt that should be alive, and settle it when it is not."""
        folder = self._home.attempt(row.id, row.attempt)
        if row.cancel:
            _pass_cancel_on(folder)
        if (row.id, row.attempt) in self._shims.values() or locks.is_held(folder.shim_lock):
            return
        self._lost.settle(row, folder)


def _pass_cancel_on(folder: AttemptFolder) -> None:
    try:
        descriptor = os.open(folder.control, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return  # no shim reads it: it has not begun yet, or is gone
    try:
        with contextlib.suppress(BlockingIOError):  # full: many requests are waiting
            os.write(descriptor, b"c")
    finally:
        os.close(descriptor)
