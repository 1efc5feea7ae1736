"""Loop of the supervisor, the one process of a home that starts jobs and settles their ends.

May be killed at any instant: the next one finds everything in the store, the locks and the files. When the project is
updated it goes on as the new version, with its children.
"""

import logging
import math
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from jobs.errors import UserError
from jobs.files import records
from jobs.runner.machine import locks, processes
from jobs.runner.machine.nvidia_smi import Gpus
from jobs.runner.paths import Home
from jobs.runner.store import JobRow, Store
from jobs.runner.supervisor import code_reload, retries
from jobs.runner.supervisor.local_executor import LocalJobs
from jobs.runner.supervisor.remote_executor import RemoteJobs
from jobs.runner.supervisor.scheduler import Scheduler
from jobs.settings import Settings

logger = logging.getLogger("jobs.runner.supervisor")

IDLE_S = 60.0
# Longest sleeps. Work is done when the fifo or a child's end wakes us; these are for what does not wake us.
TICK_S = 1.0  # an attempt that is no child of ours, or was asked to stop; an error
QUIET_TICK_S = 5.0  # disk, memory or GPU that somebody else uses
HOLD_SETTLES_S = 10.0  # a process that has just ended may be seen on its GPU a little longer: look more often
NOTHING_TICK_S = 30.0  # a clock that was set, a home that was deleted
LOOK_AT_CODE_S = 30.0


class Supervisor:
    """The loop. ``lock`` is the descriptor of the held supervisor's lock."""

    def __init__(self, settings: Settings, lock: int, idle_s: float = IDLE_S) -> None:
        self._settings = settings
        self._home = Home(settings.home)
        self._store = Store(self._home)
        self._lock: int = lock
        self._idle_s = idle_s
        self._local = LocalJobs(settings, self._store, self._home)
        self._remote = RemoteJobs(settings, self._store, self._home)
        self._scheduler = Scheduler(settings, self._store, Gpus())
        self._submitter: subprocess.Popen[bytes] | None = None  # of what the schedules say is due
        self._submitted_at = -QUIET_TICK_S
        self._published_holds = records.read_record(self._home.holds) or {}
        self._published_at = -math.inf
        self._complaints: set[str] = set()
        self._code = code_reload.signature()
        self._newer_code: code_reload.Signature | None = None
        self._looked_at_code_at = time.monotonic()

    def run(self) -> None:
        """Work until idle, or until the home is gone."""
        wake = self._open_fifo()
        quiet_since = time.monotonic()
        while self._owns_home():
            pause_s = TICK_S
            try:
                self._become_the_newer_version()
                pause_s = self._tick()
                if self._store.has_live_jobs():
                    quiet_since = time.monotonic()
                left_s = quiet_since + self._idle_s - time.monotonic()
                if left_s <= 0 and self._leave():
                    return
                pause_s = min(pause_s, max(0.0, left_s))
            except Exception as error:
                # A full disk, a busy store, no more processes, or a defect of ours: the jobs go on, we try again.
                is_outside = isinstance(error, sqlite3.Error | OSError | UserError)
                self._complain(f"tick {error!r}", f"cannot work now: {error}", None if is_outside else error)
                time.sleep(TICK_S)
            if select.select([wake], [], [], pause_s)[0]:
                os.read(wake, 65536)

    def _become_the_newer_version(self) -> None:
        """After an update, once the files have come to rest: the same process, so that its children stay its own."""
        if time.monotonic() - self._looked_at_code_at < LOOK_AT_CODE_S:
            return
        self._looked_at_code_at = time.monotonic()
        found = code_reload.signature()
        is_settled, self._newer_code = found == self._newer_code, found
        if found != self._code and is_settled and code_reload.can_start("jobs.runner.supervisor.loop"):
            logger.info("the project was updated: going on as the new version")
            os.set_inheritable(self._lock, True)  # it is never free: no other supervisor can start meanwhile
            arguments = [str(self._home.path), str(self._idle_s), str(self._lock)]
            os.execv(sys.executable, [sys.executable, "-S", "-m", "jobs.runner.supervisor", *arguments])

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

    def _tick(self) -> float:
        """Do what there is to do. Returns how long to sleep if nothing wakes us, in seconds."""
        self._local.reap()
        for row in self._store.in_state("starting", "running"):
            look = self._local.look_after if row.backend == "local" else self._remote.look_after
            self._guarded(look, row)
        for row in self._store.unsettled():
            self._guarded(self._settle, row)
        for start in self._scheduler.claim_ready():
            self._local.start(start)
        if "disk" not in self._scheduler.holds:
            self._remote.start_ready()
        self._publish_holds(self._scheduler.holds)
        self._submit_what_is_due()
        return self._pause_s()

    def _guarded(self, act: Callable[[JobRow], None], row: JobRow) -> None:
        """Contain an error of one row: it must not block the loop."""
        try:
            act(row)
        except (sqlite3.OperationalError, MemoryError):
            raise
        except Exception as error:
            self._complain(row.id, f"{row.id} cannot be looked after", error)

    def _settle(self, row: JobRow) -> None:
        """Move on a job that no process works on."""
        if row.cancel:
            self._store.cancel_waiting(row.id)
        else:
            retries.settle(self._store, self._home, row)

    def _publish_holds(self, holds: dict[str, str]) -> None:
        """Publish the reasons why free slots stay free."""
        if holds != self._published_holds:
            for text in holds.values():
                logger.warning("%s", text)
            self._published_holds, self._published_at = dict(holds), time.monotonic()
            records.write_record(self._home.holds, self._published_holds)

    def _submit_what_is_due(self) -> None:
        """Let a process that has all libraries submit the schedules' jobs; cron and time zones need them."""
        if self._submitter is not None and self._submitter.poll() is None:
            return
        if time.monotonic() - self._submitted_at < QUIET_TICK_S or not self._store.is_schedule_due():
            return
        self._submitted_at = time.monotonic()
        command = [sys.executable, "-m", "jobs.runner.schedules", str(self._home.path)]
        self._submitter = processes.start_logged(command, self._home.supervisor_log, self._settings.to_environment())

    def _pause_s(self) -> float:
        active = self._store.in_state("starting", "running")
        is_silent = any(row.cancel or not self._local.wakes_at_end(row) for row in active)
        is_held_anew = bool(self._published_holds) and time.monotonic() - self._published_at < HOLD_SETTLES_S
        if is_silent or is_held_anew:
            longest = TICK_S
        elif self._store.has_queued_jobs() or self._store.is_schedule_due():
            longest = QUIET_TICK_S
        else:
            longest = NOTHING_TICK_S
        due = self._store.next_due()
        return longest if due is None else min(longest, max(0.0, due - time.time()))

    def _complain(self, topic: str, text: str, error: Exception | None = None) -> None:
        """Log once, with the traceback of what should not happen."""
        if topic not in self._complaints:
            self._complaints.add(topic)
            logger.warning("%s", text, exc_info=error)


def supervise(home: Home, lock: int, idle_s: float | None = None) -> None:
    """Work for a home, whose lock is held, until nothing has been alive for ``idle_s`` (None: a minute)."""
    settings = replace(Settings.from_environment(), home=home.path)
    os.set_inheritable(lock, False)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s supervisor %(levelname)s: %(message)s")
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)  # for people; liveness is the lock
    processes.become_subreaper()
    Supervisor(settings, lock, IDLE_S if idle_s is None else idle_s).run()
