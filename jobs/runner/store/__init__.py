"""The job store: one SQLite file with a row per job. stdlib only."""

from jobs.runner.store.rows import JobRow
from jobs.runner.store.slots import LONGEST_BACK_OFF_S
from jobs.runner.store.store import Store, finish_attempt

__all__ = ["LONGEST_BACK_OFF_S", "JobRow", "Store", "finish_attempt"]
