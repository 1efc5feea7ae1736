"""Attempts whose shim has ended: settled by what is left of them, or watched while their worker lives. stdlib only."""

import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

from jobs.files import records
from jobs.runner.attempt import left_outputs, log_rotation
from jobs.runner.attempt.outcome import Exit, read_exit
from jobs.runner.machine import locks, processes
from jobs.runner.paths import AttemptFolder
from jobs.runner.store import JobRow, Store, finish_attempt
from jobs.settings import Settings

logger = logging.getLogger("jobs.runner.supervisor")

FIRST_RETRY_S, LONGEST_RETRY_S = 0.1, 5.0


class LostAttempts:
    """Detects attempts without a shim, and does the shim's part for a worker that has outlived it.

    ``exit_code`` collects the children that have ended; it returns the code of a pid and start time, if it was one.
    """

    def __init__(self, settings: Settings, store: Store, exit_code: Callable[[int, str | None], int | None]) -> None:
        self._settings = settings
        self._store = store
        self._exit_code = exit_code
        self._stop_asked_at: dict[str, float] = {}  # orphans that were sent SIGTERM, and when

    def settle(self, row: JobRow, folder: AttemptFolder) -> None:
        """Record the end of an attempt whose shim has ended, unless its worker lives on."""
        recorded = exit_ = read_exit(folder)
        start = _read_start(row, folder)
        pid, started = int(start.get("pid", 0)), start.get("start_time")
        is_ending = False
        if exit_ is None:
            # It loses its lock a moment before it is gone, and its worker is not our child before that.
            if processes.is_alive(int(start.get("shim", 0)), start.get("shim_start_time")):
                return
            is_ours = processes.is_of_attempt(pid, started, row.mark)
            if is_ours and (row.cancel or _is_overdue(row, start)):
                self._stop_orphan(row, pid)
            if is_ours is not False:  # None: its program is being started, so nothing can be concluded yet
                log_rotation.shorten_log(folder.log, self._settings.log_limit_bytes)  # as its shim did
                left_outputs.show_life(folder)
                return
            is_ending = locks.is_held(folder.tree_lock)
            # Not before it is known to have ended: a code that is looked for first may be missed.
            code = self._exit_code(pid, started)
            if code is not None:
                timed_out = row.id in self._stop_asked_at and not row.cancel
                exit_ = Exit(code, cancelled=bool(row.cancel), timed_out=timed_out)
        if pid:  # the worker is gone: what it has left behind has no purpose
            processes.end_tree(row.mark, timeout_s=0.2)
        if exit_ is None and is_ending:
            return
        if exit_ is None and row.state == "starting":
            start_later(self._store, row)
            return
        self._stop_asked_at.pop(row.id, None)
        if recorded is None and not row.attempt_spec.is_director:
            left_outputs.seal_lost(folder, row.id)
        finish_attempt(self._store, folder, row, exit_)

    def _stop_orphan(self, row: JobRow, pid: int) -> None:
        """Stop a worker, by force after the grace; without a reason to stop it simply goes on."""
        asked_at = self._stop_asked_at.setdefault(row.id, time.monotonic())
        overdue = time.monotonic() - asked_at >= self._settings.cancel_grace_s
        processes.signal_group(pid, signal.SIGKILL if overdue else signal.SIGTERM)


def _read_start(row: JobRow, folder: AttemptFolder) -> Mapping[str, Any]:
    """Read what the shim noted of its worker; noted here for one that was killed between starting it and the note."""
    start = records.read_record(folder.start)
    if start is not None or not locks.is_held(folder.tree_lock):
        return start or {}
    found = processes.find_oldest(row.mark)
    if found is None:
        return {}
    start = {"pid": found[0], "start_time": found[1]}
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
