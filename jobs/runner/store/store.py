"""Job store: one SQLite file, one row per job, every change of state a compare-and-swap. stdlib only.

Progress, logs and artifacts are files of the attempt and are not in the store.
"""

import logging

from jobs.files import records
from jobs.runner.attempt.outcome import Exit, determine_outcome
from jobs.runner.paths import AttemptFolder
from jobs.runner.store.queries import Queries
from jobs.runner.store.rows import JobRow
from jobs.runner.store.slots import Slots
from jobs.runner.store.transitions import Transitions

logger = logging.getLogger("jobs.runner.shim")


class Store(Queries, Slots, Transitions):
    """Store of one home. One connection per thread; safe to share between threads."""


def finish_attempt(store: Store, folder: AttemptFolder, row: JobRow, exit_: Exit | None) -> None:
    """Move an attempt to its end in the store, as its exit and the worker's files say.

    Called by the shim, and by the supervisor for attempts whose shim is gone.
    """
    result, failure = records.read_record(folder.result), records.read_record(folder.failure)
    outcome = determine_outcome(exit_, result, failure, cancel_asked=bool(row.cancel))
    if store.finish(row.id, row.attempt, outcome):
        logger.info("%s attempt %d: %s %s", row.id, row.attempt, outcome.state, outcome.detail)
