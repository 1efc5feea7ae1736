"""Jobs on this machine: each started through a shim, observed by locks, files and processes. stdlib only.

The supervisor is a subreaper: the shims are its children, and so is the worker of a shim that was killed.
"""

import contextlib
import logging
import os
import sys
import time

from jobs.runner.machine import locks, processes
from jobs.runner.paths import AttemptFolder, Home
from jobs.runner.store import JobRow, Store
from jobs.runner.supervisor.lost_attempts import LostAttempts, start_later
from jobs.runner.supervisor.scheduler import ClaimedJob
from jobs.settings import Settings

logger = logging.getLogger("jobs.runner.supervisor")

REMEMBERED_S = 60.0


class LocalJobs:
    """Executor of this machine's jobs."""

    def __init__(self, settings: Settings, store: Store, home: Home) -> None:
        self._settings = settings
        self._store = store
        self._home = home
        self._shims: dict[int, tuple[str, int]] = {}  # pid of a child: its job and attempt
        self._reaped: dict[int, int] = {}  # pid: exit code of orphaned workers
        self._reaped_at: dict[int, float] = {}
        self._lost = LostAttempts(settings, store)

    def start(self, start: ClaimedJob) -> None:
        """Start the shim of a claimed attempt."""
        row = start.row
        command = [sys.executable, "-S", "-m", "jobs.runner.shim", str(self._home.path), row.id, str(row.attempt)]
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
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._shims.pop(pid, None) is None:
                self._reaped[pid] = os.waitstatus_to_exitcode(status)
                self._reaped_at[pid] = time.monotonic()

    def forget_reaped(self) -> None:
        """Forget children that were reaped long ago.

        Not at once: while a client probes the lock of a shim that was killed, its attempt is settled a tick later.
        """
        for pid in [pid for pid, at in self._reaped_at.items() if time.monotonic() - at > REMEMBERED_S]:
            del self._reaped[pid], self._reaped_at[pid]

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
        self.reap()  # a worker that ended a moment ago is our child: its code is the truth
        self._lost.settle(row, folder, self._reaped)


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
