"""A look at the queue by a process that cannot write the store: does another job want a resource? stdlib only."""

import sqlite3
import time
from collections.abc import Collection
from contextlib import closing

from jobs.runner.paths import Home
from jobs.runner.store.slots import READY

BUSY_S = 5.0


def find_wanting(home: Home, resource: str, except_kinds: Collection[str]) -> str:
    """Return a job that uses a resource, or would start at once if it were free; empty: there is none.

    Args:
        home: of the store.
        resource: as ``gpu``.
        except_kinds: kinds that do not count.

    Raises:
        sqlite3.Error: the store cannot be read.
    """
    names = ", ".join("?" * len(except_kinds))
    mine = f"backend = 'local' AND resource = ? AND kind NOT IN ({names})"
    with closing(sqlite3.connect(f"{home.database.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as store:
        store.row_factory = sqlite3.Row
        active = f"SELECT id FROM jobs WHERE state IN ('starting', 'running') AND {mine} LIMIT 1"
        found = store.execute(active, (resource, *except_kinds)).fetchone()
        if found is not None:
            return str(found["id"])
        if store.execute("SELECT 1 FROM leases WHERE resource = ? LIMIT 1", (resource,)).fetchone():
            return ""  # what waits, waits for that job
        waiting = f"SELECT id FROM jobs WHERE {READY.replace(':now', '?')} AND {mine} LIMIT 1"
        n_times = READY.count(":now")
        found = store.execute(waiting, (*[time.time()] * n_times, resource, *except_kinds)).fetchone()
        return str(found["id"]) if found is not None else ""
