"""Jobs on this machine: each started through a shim, observed by locks, files and processes. stdlib only.

The supervisor is a subreaper: the shims are its children, and so is the worker of a shim that was killed.
"""

import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from jobs import atomic_io
from jobs.runner.attempt import log_rotation
from jobs.runner.attempt.outcome import Exit, read_exit
from jobs.runner.machine import locks, processes
from jobs.runner.paths import AttemptFolder, Home
from jobs.runner.store import JobRow, Store, finish_attempt
from jobs.runner.supervisor.scheduler import ClaimedJob
from jobs.settings import Settings

logger = logging.getLogger("jobs.runner.supervisor")

FIRST_RETRY_S, LONGEST_RETRY_S = 0.1, 5.0


class LocalJobs:
    """Executor of this machine's jobs."""

    def __init__(self, settings: Settings, store: Store, home: Home) -> None:
        self._settings = settings
        self._store = store
        self._home = home
        self._shims: dict[int, tuple[str, int]] = {}  # pid of a child: its job and attempt
        self._reaped: dict[int, int] = {}  # pid: exit code of orphaned workers
        self._stop_asked_at: dict[str, float] = {}  # orphans that were sent SIGTERM, and when

    def start(self, start: ClaimedJob) -> None:
        """Start the shim of a claimed attempt."""
        row = start.row
        command = [sys.executable, "-S", "-m", "jobs.runner.shim", str(self._home.path), row.id, str(row.attempt)]
        try:
            environment = self._settings.to_environment() | start.variables
            shim = processes.start_logged(command, self._home.supervisor_log, environment)
        except OSError as error:
            logger.warning("%s: the shim cannot be started: %s", row.id, error)
            self._start_later(row)
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

    def forget_reaped(self) -> None:
        """Forget reaped children that belong to no known attempt."""
        self._reaped.clear()

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
        start = atomic_io.read_json(folder.start) or {}
        pid = int(start.get("pid", 0))
        exit_ = read_exit(folder)
        if exit_ is None and pid in self._reaped:
            timed_out = row.id in self._stop_asked_at and not row.cancel
            exit_ = Exit(self._reaped[pid], cancelled=bool(row.cancel), timed_out=timed_out)
        if exit_ is None and processes.is_alive(pid, start.get("start_time")):
            if row.cancel or _is_overdue(row, start):
                self._stop_orphan(row, pid)
            log_rotation.shorten_log(folder.log, self._settings.log_limit_bytes)  # as its shim did
            return
        if pid:  # the worker is gone: what it has left behind has no purpose
            processes.end_tree(row.mark, timeout_s=0.2)
        if exit_ is None and locks.is_held(folder.tree_lock):
            return
        if exit_ is None and row.state == "starting":
            self._start_later(row)
            return
        self._stop_asked_at.pop(row.id, None)
        finish_attempt(self._store, folder, row, exit_)

    def _stop_orphan(self, row: JobRow, pid: int) -> None:
        """Do the shim's part for a worker that has outlived it; without a reason to stop it simply goes on."""
        asked_at = self._stop_asked_at.setdefault(row.id, time.monotonic())
        overdue = time.monotonic() - asked_at >= self._settings.cancel_grace_s
        processes.signal_group(pid, signal.SIGKILL if overdue else signal.SIGTERM)

    def _start_later(self, row: JobRow) -> None:
        """An attempt whose shim never began costs no try; the next one waits a little longer each time."""
        n_free = max(0, row.attempt - row.tries - 1)
        self._store.unclaim(row.id, row.attempt, min(FIRST_RETRY_S * 2**n_free, LONGEST_RETRY_S))


def _is_overdue(row: JobRow, start: Mapping[str, Any]) -> bool:
    """True when an attempt has run longer than it may. By the kernel's clock, which cannot be set (Linux only)."""
    if row.max_run_s is None or not hasattr(time, "CLOCK_BOOTTIME"):
        return False
    ticks = float(start.get("start_time") or "inf")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK") > row.max_run_s


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
