"""Entry of the supervisor: ``python -m jobs.runner.supervisor HOME [IDLE_S [LOCK]]``.

Detaches itself, and ends when no job has been alive for IDLE_S seconds. The process that starts it waits until it holds
the lock, so little is imported before; later errors are in its log.
"""

import os
import sys
import time
from pathlib import Path

from jobs.runner.machine import locks
from jobs.runner.paths import Home
from jobs.trust.home import open_home

LOCK_TRIES, LOCK_PAUSE_S = 20, 0.05  # a probe may hold the lock for a moment


def main() -> None:
    """Take the home's lock, detach, and supervise. The lock is held when the caller's child returns."""
    home = Home(Path(sys.argv[1]))
    open_home(home.path)
    lock = int(sys.argv[3]) if len(sys.argv) > 3 else _lock_and_detach(home)
    from jobs.runner.supervisor.loop import supervise

    supervise(home, lock, float(sys.argv[2]) if len(sys.argv) > 2 else None)


def _lock_and_detach(home: Home) -> int:
    """Take the lock and detach; the process ends here when another one has the lock."""
    for _ in range(LOCK_TRIES):
        lock = locks.take(home.supervisor_lock, wait=False)
        if lock is not None and os.fork() == 0:
            return lock
        if lock is not None:
            break
        time.sleep(LOCK_PAUSE_S)
    os._exit(0)


if __name__ == "__main__":
    main()
