"""Start and wake-up of the supervisor, from any process that uses the runner. stdlib only."""

import contextlib
import os
import subprocess
import sys
import time

from jobs import installation
from jobs.errors import UserError
from jobs.runner.machine import locks
from jobs.runner.paths import Home
from jobs.settings import Settings
from jobs.trust import owners
from jobs.trust.home import open_home

LAUNCH_TIMEOUT_S = 20.0
# One probe is not enough: a half-born child of a killed supervisor can hold its lock for some milliseconds.
N_PROBES = 3
PROBE_PAUSE_S = 0.05


def wake(home: Home) -> None:
    """Put a byte into the fifo that the supervisor sleeps on; nothing happens when there is none."""
    with contextlib.suppress(OSError):
        descriptor = os.open(home.wake, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(descriptor, b"x")
        finally:
            os.close(descriptor)


def ensure_supervisor(settings: Settings) -> None:
    """Start the supervisor of this home unless it runs. Returns once it has detached itself.

    Raises:
        UserError: ``supervisor_failed`` when it cannot be started, ``owner_untrusted``.
    """
    home = Home(settings.home)
    for probe in range(N_PROBES):
        if not locks.is_held(home.supervisor_lock):
            break
        if probe == 0 and _is_alive(home):
            return
        time.sleep(PROBE_PAUSE_S)
    else:
        return
    installation.link_code(settings.envs)
    open_home(home.path)  # the store, which every client reads first, has checked it for those who start nothing
    try:
        with owners.open_to_append(home.supervisor_log) as log:
            # It forks once more and this child ends at once: the supervisor then has no parent, and a
            # client that kills its server with all descendants does not find it. -S: stdlib only, no site-packages.
            subprocess.run(
                [sys.executable, "-S", "-m", "jobs.runner.supervisor", str(settings.home)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=settings.to_shared_environment(),
                cwd="/",
                start_new_session=True,
                timeout=LAUNCH_TIMEOUT_S,
                check=True,
            )
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(
            "supervisor_failed",
            f"The process that runs the jobs could not be started: {error}.",
            f"The end of {home.supervisor_log} says why. Jobs that are queued are kept and run once it starts.",
        ) from error


def _is_alive(home: Home) -> bool:
    """True when a supervisor reads the fifo, which only the living one does."""
    try:
        os.close(os.open(home.wake, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
