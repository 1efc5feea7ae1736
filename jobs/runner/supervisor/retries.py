"""Retries of interrupted jobs: at once, later, or not at all. stdlib only."""

from jobs.runner.attempt.outcome import CANCELLED_EXIT
from jobs.runner.paths import Home
from jobs.runner.progress.tail import read_done
from jobs.runner.store import LONGEST_BACK_OFF_S, JobRow, Store

FIRST_BACK_OFF_S = 5.0


def settle(store: Store, home: Home, row: JobRow) -> None:
    """Queue an interrupted job again, or give it up when it fails identically without progress."""
    if row.tries < row.max_tries and _repeats_itself(store, home, row):
        store.give_up(row.id, "two attempts failed identically with no progress; not retrying")
    else:
        is_free = _stopped_on_its_way(store, home, row)
        store.settle_interrupted(row.id, 0.0 if is_free else back_off_s(row.tries), is_free=is_free)


def back_off_s(tries: int) -> float:
    """Pause before the next try, after ``tries`` of them: none, then 10 s, 20 s, 40 s, at most 5 minutes."""
    return 0.0 if tries <= 1 else float(min(FIRST_BACK_OFF_S * 2.0 ** min(tries - 1, 16), LONGEST_BACK_OFF_S))


def _stopped_on_its_way(store: Store, home: Home, row: JobRow) -> bool:
    """True when the last try stopped at a safe point because its machine was to be taken away, and got further.

    Such a try costs none: Slurm's time limit ends a training of days again and again.
    """
    ends = store.interruptions(row.id)[-2:]
    if row.exit_code != CANCELLED_EXIT or not ends:
        return False
    made = [read_done(home.attempt(row.id, attempt).progress) for attempt, _ in ends]
    return made[-1] > (made[0] if len(made) == 2 else 0.0)


def _repeats_itself(store: Store, home: Home, row: JobRow) -> bool:
    """True when the last two tries were interrupted in the same way and the later one got no further.

    Not when they were lost: then everything of ours was killed (a reboot, a container's end), which is no doing of
    the job. Nor a director: it only waits, for hours at the same place, and its children's own tries are bounded.
    """
    ends = store.interruptions(row.id)[-2:]
    if row.resource == "director" or len(ends) < 2 or row.reason == "lost" or ends[0][1] != ends[1][1]:
        return False
    before, now = (read_done(home.attempt(row.id, attempt).progress) for attempt, _ in ends)
    return now <= before
