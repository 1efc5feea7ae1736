"""The one process of a home that starts jobs and settles what became of them.

``python -m jobs.runner.supervisor HOME [IDLE_S]``: detaches itself, ends when nothing has been alive for IDLE_S
seconds. May be killed at any instant: the next one finds everything in the store, the locks and the files.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jobs.errors import UserError
from jobs.runner import durable, locks, processes, retries
from jobs.runner.ends import recorded_exit
from jobs.runner.gpus import Gpus
from jobs.runner.layout import AttemptFolder, Home
from jobs.runner.outcome import Exit
from jobs.runner.remote import RemoteJobs
from jobs.runner.scheduling import Scheduler, Start
from jobs.runner.shim import finish, mark_of
from jobs.runner.store import JobRow, Store
from jobs.settings import Settings

logger = logging.getLogger("jobs.runner.supervisor")

IDLE_S = 60.0
TICK_S = 1.0  # a safety net; work is done when the fifo or a child's end wakes us
LOCK_TRIES, LOCK_PAUSE_S = 20, 0.05  # a probe may hold the lock for a moment
FIRST_RETRY_S, LONGEST_RETRY_S = 0.1, 5.0


class Supervisor:
    """The loop. ``lock`` is the descriptor of the held supervisor's lock."""

    def __init__(self, settings: Settings, lock: int, idle_s: float = IDLE_S) -> None:
        self._settings = settings
        self._home = Home(settings.home)
        self._store = Store(self._home)
        self._lock: int = lock
        self._idle_s = idle_s
        self._shims: dict[int, tuple[str, int]] = {}  # pid of a child: its job and attempt
        self._reaped: dict[int, int] = {}  # pid: exit code of orphaned workers
        self._told_to_stop: dict[str, float] = {}  # orphans that were sent SIGTERM, and when
        self._complaints: set[str] = set()
        self._scheduler = Scheduler(settings, self._store, Gpus())
        self._remote = RemoteJobs(settings, self._store, self._home)
        self._told_holds: dict[str, str] | None = None

    def run(self) -> None:
        """Work until idle, or until the home is gone."""
        wake = self._open_fifo()
        quiet_since = time.monotonic()
        while self._owns_home():
            try:
                self._tick()
                if self._store.has_live_jobs():
                    quiet_since = time.monotonic()
                elif time.monotonic() - quiet_since > self._idle_s and self._leave():
                    return
            except (sqlite3.Error, OSError, UserError) as error:
                # A full disk, a busy store, no more processes: the jobs go on, we try again.
                self._complain("tick", f"cannot work now: {error}")
                time.sleep(TICK_S)
            if select.select([wake], [], [], TICK_S)[0]:
                os.read(wake, 65536)

    def _open_fifo(self) -> int:
        if not self._home.wake.exists():
            os.mkfifo(self._home.wake, 0o600)
        # For writing, too, so that it never reads as ended; the end of a child writes into it as well.
        descriptor = os.open(self._home.wake, os.O_RDWR | os.O_NONBLOCK)
        signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        return descriptor

    def _owns_home(self) -> bool:
        """False when the lock's file was deleted with the home: another supervisor may own a new one."""
        try:
            return os.path.samestat(self._home.supervisor_lock.stat(), os.fstat(self._lock))
        except OSError:
            return False

    def _leave(self) -> bool:
        """Give the lock back; false when a job came in just before, whose submitter saw us alive."""
        os.close(self._lock)
        if not self._store.has_live_jobs():
            return True
        taken = locks.take(self._home.supervisor_lock, wait=False)
        if taken is None:
            return True  # somebody else has started already
        self._lock = taken
        return False

    def _tick(self) -> None:
        self._reap()
        for row in self._store.in_state("starting", "running"):
            self._guarded(self._look_after, row)
        for row in self._store.unsettled():
            if row.cancel:
                self._store.cancel_waiting(row.id)
            else:
                retries.settle(self._store, self._home, row)
        self._start_jobs()
        self._reaped.clear()  # whatever is left belonged to nobody we know

    def _reap(self) -> None:
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

    def _guarded(self, look: Callable[[JobRow], None], row: JobRow) -> None:
        """One poisoned row must not keep the others from being looked after."""
        try:
            look(row)
        except (sqlite3.OperationalError, MemoryError):
            raise
        except Exception:
            if row.id not in self._complaints:
                self._complaints.add(row.id)
                logger.exception("%s cannot be looked after", row.id)

    def _look_after(self, row: JobRow) -> None:
        """Find out what became of an attempt that should be alive."""
        if row.backend != "local":
            self._remote.look_after(row)
            return
        folder = self._home.attempt(row.id, row.attempt)
        if row.cancel:
            _pass_cancel_on(folder)
        if (row.id, row.attempt) in self._shims.values() or locks.is_held(folder.shim_lock):
            return
        self._reap()  # a worker that ended a moment ago is our child: its code is the truth
        start = durable.read_json(folder.start) or {}
        pid = int(start.get("pid", 0))
        exit_ = recorded_exit(folder)
        if exit_ is None and pid in self._reaped:
            exit_ = Exit(self._reaped[pid], cancelled=bool(row.cancel))
        if exit_ is None and processes.is_alive(pid, start.get("start_time")):
            self._stop_orphan(row, pid)
            return
        if pid:  # the worker is gone: what it has left behind has no purpose
            processes.end_tree(mark_of(row), timeout_s=0.2)
        if exit_ is None and locks.is_held(folder.tree_lock):
            return
        if exit_ is None and row.state == "starting":
            self._start_later(row)
            return
        self._told_to_stop.pop(row.id, None)
        finish(self._store, folder, row, exit_)

    def _stop_orphan(self, row: JobRow, pid: int) -> None:
        """Do the shim's part for a worker that has outlived it; without a cancel it simply goes on."""
        if not row.cancel:
            return
        told_at = self._told_to_stop.setdefault(row.id, time.monotonic())
        overdue = time.monotonic() - told_at >= self._settings.cancel_grace_s
        processes.signal_group(pid, signal.SIGKILL if overdue else signal.SIGTERM)

    def _start_later(self, row: JobRow) -> None:
        """An attempt whose shim never began costs no try; the next one waits a little longer each time."""
        n_free = max(0, row.attempt - row.tries - 1)
        self._store.unclaim(row.id, row.attempt, min(FIRST_RETRY_S * 2**n_free, LONGEST_RETRY_S))

    def _start_jobs(self) -> None:
        for start in self._scheduler.claim_ready():
            self._start_shim(start)
        if "disk" not in self._scheduler.holds:
            self._remote.start_ready()
        self._tell_holds(self._scheduler.holds)

    def _tell_holds(self, holds: dict[str, str]) -> None:
        """Let people know why free slots stay free."""
        if holds != self._told_holds:
            for text in holds.values():
                logger.warning("%s", text)
            durable.write_json(self._home.holds, dict(holds))
            self._told_holds = dict(holds)

    def _start_shim(self, start: Start) -> None:
        row = start.row
        command = [sys.executable, "-S", "-m", "jobs.runner.shim", str(self._home.path), row.id, str(row.attempt)]
        try:
            with self._home.supervisor_log.open("ab") as log:
                shim = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._settings.to_environment() | start.variables,
                    cwd="/",
                    start_new_session=True,
                )
        except OSError as error:
            logger.warning("%s: the shim cannot be started: %s", row.id, error)
            self._start_later(row)
            return
        self._shims[shim.pid] = (row.id, row.attempt)
        shim.returncode = 0  # reaped by ``_reap``, not by Popen

    def _complain(self, topic: str, text: str) -> None:
        if topic not in self._complaints:
            self._complaints.add(topic)
            logger.warning("%s", text)


def _pass_cancel_on(folder: AttemptFolder) -> None:
    try:
        descriptor = os.open(folder.control, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return  # no shim reads it: it has not begun yet, or is gone
    try:
        os.write(descriptor, b"c")
    except BlockingIOError:
        pass  # full: it has been told often enough
    finally:
        os.close(descriptor)


def _lock(home: Home) -> int | None:
    for _ in range(LOCK_TRIES):
        taken = locks.take(home.supervisor_lock, wait=False)
        if taken is not None:
            return taken
        time.sleep(LOCK_PAUSE_S)
    return None


def main() -> None:
    """Entry of ``python -m jobs.runner.supervisor``. The lock is held when the caller's child returns."""
    settings = replace(Settings.from_environment(), home=Path(sys.argv[1]))
    settings.home.mkdir(parents=True, exist_ok=True)
    lock = _lock(Home(settings.home))
    if lock is None or os.fork() > 0:
        os._exit(0)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s supervisor %(levelname)s: %(message)s")
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)  # for people; liveness is the lock
    processes.become_subreaper()
    Supervisor(settings, lock, float(sys.argv[2]) if len(sys.argv) > 2 else IDLE_S).run()


if __name__ == "__main__":
    main()
