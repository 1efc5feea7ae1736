"""Work that is killed with -9 at random moments until it is done; for the benches and tests of resumable jobs."""

from __future__ import annotations

import os
import random
import select
import signal
from collections.abc import Callable


def killed_until_done(work: Callable[[], object], rng: random.Random, within_s: float, n_kills: int) -> int:
    """Do the work in forked processes, the first ``n_kills`` of which are killed if they live long enough.

    Args:
        work: goes on where a killed one stopped; everything slow to import is imported already.
        rng: chooses the moments.
        within_s: each moment lies this far in, at most; about the length of an undisturbed run.
        n_kills: at most.

    Returns:
        How many were killed.
    """
    n_killed = 0
    while True:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work()
                code = 0
            finally:
                os._exit(code)
        handle = os.pidfd_open(child)
        limit_s = rng.uniform(0, within_s) if n_killed < n_kills else None
        has_ended = bool(select.select([handle], [], [], limit_s)[0])
        os.close(handle)
        if not has_ended:
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            n_killed += 1
        elif status:
            raise RuntimeError("the work failed by itself; its traceback is above")
        else:
            return n_killed
