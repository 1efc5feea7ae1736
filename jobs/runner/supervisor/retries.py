"""Retries of interrupted jobs: at once, later, or not at all. stdlib only.

Progress is the ``done`` that an attempt reported, above that of every attempt before it. Attempts with progress cost
no try and cannot go on for ever, because each must pass a new mark. ``max_tries`` bounds the attempts without progress.
"""

from collections.abc import Sequence
from itertools import accumulate

from jobs.runner.paths import Home
from jobs.runner.progress.tail import read_done
from jobs.runner.store import LONGEST_BACK_OFF_S, JobRow, Store

FIRST_BACK_OFF_S = 5.0


def settle(store: Store, home: Home, row: JobRow) -> None:
    """Queue an interrupted job again, or give it up when it fails identically without progress."""
    ends = store.interruptions(row.id)
    n_idle = count_idle([read_done(home.attempt(row.id, attempt).progress) for attempt, _ in ends])
    if n_idle and row.tries < row.max_tries and _ended_identically(row, [detail for _, detail in ends]):
        store.give_up(row.id, "two attempts failed identically with no progress; not retrying")
    else:
        store.settle_interrupted(row.id, back_off_s(n_idle), is_free=n_idle == 0)


def count_idle(done: Sequence[float]) -> int:
    """Count the attempts at the end that made no progress.

    Args:
        done: units that each attempt reported, in order.
    """
    marks = [0.0, *accumulate(done, max)]
    return next((n for n in range(len(done)) if marks[-1 - n] > marks[-2 - n]), len(done))


def back_off_s(n_idle: int) -> float:
    """Pause before the next try, after so many without progress: none, then 10 s, 20 s, 40 s, at most 5 minutes."""
    return 0.0 if n_idle <= 1 else float(min(FIRST_BACK_OFF_S * 2.0 ** min(n_idle - 1, 16), LONGEST_BACK_OFF_S))


def _ended_identically(row: JobRow, details: Sequence[str]) -> bool:
    """True when the last two tries were interrupted in the same way.

    Not when they were lost: then everything of ours was killed (a reboot, a container's end), which is no doing of
    the job. Nor a director: it only waits, for hours at the same place, and its children's own tries are bounded.
    """
    return row.resource != "director" and row.reason != "lost" and len(details) > 1 and details[-1] == details[-2]
