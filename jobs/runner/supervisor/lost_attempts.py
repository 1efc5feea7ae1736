"""Attempts whose shim has ended: settled by what is left of them, or watched while their worker lives. stdlib only."""

import logging
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from jobs.files import records
from jobs.runner.attempt import log_rotation
from jobs.runner.attempt.outcome import Exit, read_exit
from jobs.runner.machine import locks, processes
from jobs.runner.paths import AttemptFolder
from jobs.runner.store import JobRow, Store, finish_attempt
from jobs.settings import Settings

logger = logging.getLogger("jobs.runner.supervisor")

FIRST_RETRY_S, LONGEST_RETRY_S = 0.1, 5.0


class LostAttempts:
    """Detects attempts without a shim, and does the shim's part for a worker that has outlived it."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._stop_asked_at: dict[str, float] = {}  # orphans that were sent SIGTERM, and when

    def settle(self, row: JobRow, folder: AttemptFolder, reaped: Mapping[int, int]) -> None:
        """Record the end of an attempt whose shim has ended, unless its worker lives on.

        Args:
            reaped: exit codes of workers that the supervisor has collected, by pid.
        """
        exit_ = read_exit(folder)
        start = records.read_record(folder.start) or (_find_start(row, folder) if exit_ is None else {})
        pid = int(start.get("pid", 0))
        if exit_ is None:
            is_ours = processes.is_of_attempt(pid, start.get("start_time"), row.mark)
            if is_ours and (row.cancel or _is_overdue(row, start)):
                self._stop_orphan(row, pid)
            if is_ours is not False:  # or it is being started: nothing can be concluded yet
                log_rotation.shorten_log(folder.log, self._settings.log_limit_bytes)  # as its shim did
                return
            if pid in reaped:
                timed_out = row.id in self._stop_asked_at and not row.cancel
                exit_ = Exit(reaped[pid], cancelled=bool(row.cancel), timed_out=timed_out)
        if pid:  # the worker is gone: what it has left behind has no purpose
            processes.end_tree(row.mark, timeout_s=0.2)
        if exit_ is None and locks.is_held(folder.tree_lock):
            return
        if exit_ is None and row.state == "starting":
            start_later(self._store, row)
            return
        self._stop_asked_at.pop(row.id, None)
        finish_attempt(self._store, folder, row, exit_)

    def _stop_orphan(self, row: JobRow, pid: int) -> None:
        """Stop a worker, by force after the grace; without a reason to stop it simply goes on."""
        asked_at = self._stop_asked_at.setdefault(row.id, time.monotonic())
        overdue = time.monotonic() - asked_at >= self._settings.cancel_grace_s
        processes.signal_group(pid, signal.SIGKILL if overdue else signal.SIGTERM)


def _find_start(row: JobRow, folder: AttemptFolder) -> dict[str, Any]:
    """Write the record of a worker whose shim was killed just before it: who ends is reaped by it, who runs stopped."""
    pid = processes.find_leader(row.mark) if locks.is_held(folder.tree_lock) else None
    if pid is None:
        return {}
    start = {"pid": pid, "start_time": processes.start_time(pid), "shim": 0}
    records.write_record(folder.start, start)
    return start


def start_later(store: Store, row: JobRow) -> None:
    """Queue an attempt whose shim never began: it costs no try, and the next one waits a little longer each time."""
    n_free = max(0, row.attempt - row.tries - 1)
    store.unclaim(row.id, row.attempt, min(FIRST_RETRY_S * 2**n_free, LONGEST_RETRY_S))


def _is_overdue(row: JobRow, start: Mapping[str, Any]) -> bool:
    """True when an attempt has run longer than it may. By the kernel's clock, which cannot be set (Linux only)."""
    if row.max_run_s is None or not hasattr(time, "CLOCK_BOOTTIME"):
        return False
    ticks = float(start.get("start_time") or "inf")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK") > row.max_run_s
