"""Watchdog of a worker: waits for its end and stops it on request or when its time is over. stdlib only."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from jobs.runner.machine import processes

TICK_S = 1.0
CANCEL, STOP = b"c", b"t"  # what the control descriptor brings: a cancel is final, a stop is continued elsewhere
StopReason = Literal["cancel", "stop", "timeout"]


@dataclass(frozen=True)
class WorkerLimits:
    """Seconds that a worker has.

    Attributes:
        grace_s: from a final stop request until it is killed.
        stop_grace_s: the same when the machine is about to be taken away.
        max_run_s: in all; None is without end.
    """

    grace_s: float
    stop_grace_s: float
    max_run_s: float | None = None


class Watchdog:
    """Watchdog in the process that started the worker.

    Args:
        worker: in a process group of its own.
        control: descriptor through which ``CANCEL`` and ``STOP`` come.
        limits: how long it may run and may take to stop.
        each_tick: called about once a second; may return what is asked for meanwhile.
        stop: makes the worker stop at its next safe point; by default a SIGTERM to its group.
    """

    def __init__(
        self,
        worker: subprocess.Popen[bytes],
        control: int,
        limits: WorkerLimits,
        each_tick: Callable[[], StopReason | None] = lambda: None,
        stop: Callable[[], None] | None = None,
    ) -> None:
        self._worker = worker
        self._control = control
        self._limits = limits
        self._each_tick = each_tick
        self._stop = stop or (lambda: processes.signal_group(worker.pid, signal.SIGTERM))
        self._ticked_at = -TICK_S
        self._end_at = time.monotonic() + limits.max_run_s if limits.max_run_s is not None else None
        self._kill_at: float | None = None
        self.asked: StopReason | None = None
        """Reason of the stop request."""

    def wait(self) -> int:
        """Wait for the worker; return its exit code, negative for a signal."""
        ended = os.pidfd_open(self._worker.pid) if hasattr(os, "pidfd_open") else None
        watched = [descriptor for descriptor in (ended, self._control) if descriptor is not None]
        try:
            while (code := _end_of(self._worker)) is None:
                ready, _, _ = select.select(watched, [], [], self._pause_s(ended is not None))
                if self._control in ready:
                    self._ask("stop" if set(os.read(self._control, 4096)) == set(STOP) else "cancel")
                self._tick()
        finally:
            if ended is not None:
                os.close(ended)
        return code

    def _pause_s(self, is_woken_by_the_end: bool) -> float:
        pause_s = TICK_S if is_woken_by_the_end and self._kill_at is None else TICK_S / 5
        return pause_s if self._end_at is None else min(pause_s, max(0.0, self._end_at - time.monotonic()))

    def _tick(self) -> None:
        now = time.monotonic()
        if self._end_at is not None and now >= self._end_at:
            self._end_at = None
            self._ask("timeout")
        if now - self._ticked_at >= TICK_S:
            self._ticked_at = now
            self._ask(self._each_tick())
        if self._kill_at is not None and now >= self._kill_at:
            processes.signal_group(self._worker.pid, signal.SIGKILL)

    def _ask(self, what: StopReason | None) -> None:
        """Ask the worker once to stop. A cancel or a timeout is final and outranks a stop; the first one counts."""
        if what is None or self.asked == what or self.asked in ("cancel", "timeout"):
            return
        if self.asked is None:
            self._stop()
        grace_s = self._limits.stop_grace_s if what == "stop" else self._limits.grace_s
        kill_at = time.monotonic() + grace_s
        self._kill_at = kill_at if self._kill_at is None else min(kill_at, self._kill_at)
        self.asked = what


def _end_of(worker: subprocess.Popen[bytes]) -> int | None:
    """Collect the orphans of the worker that have ended; return the worker's exit code, or None while it runs.

    The worker itself is only looked at, not collected: should this process be killed before it has written the
    code down, the supervisor inherits the zombie and still finds the exact code.
    """
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return worker.poll()
    while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
        if ended.si_pid == worker.pid:
            worker.returncode = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
            return worker.returncode
        os.waitpid(ended.si_pid, 0)
    return None
