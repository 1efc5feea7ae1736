"""A look at the queue by a process that cannot write the store: does another job want a resource? stdlib only."""

import sqlite3
import time
from collections.abc import Callable, Collection
from contextlib import closing

from jobs.runner.paths import Home
from jobs.runner.store.slots import READY

BUSY_S = 5.0


MOST_LOOKED_AT = 100
"""Waiting jobs; those behind them start later."""


def find_wanting(
    home: Home,
    resource: str,
    except_kinds: Collection[str],
    is_excepted: Callable[[str, str], bool] = lambda kind, document: False,
) -> str:
    """Return a job that uses a resource, or would start at once if it were free; empty: there is none.

    Args:
        home: of the store.
        resource: as ``gpu``.
        except_kinds: kinds that do not count.
        is_excepted: whether a job does not count, by its kind and its document.

    Raises:
        sqlite3.Error: the store cannot be read.
    """
    names = ", ".join("?" * len(except_kinds))
    mine = f"backend = 'local' AND resource = ? AND kind NOT IN ({names})"
    with closing(sqlite3.connect(f"{home.database.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as store:
        store.row_factory = sqlite3.Row
        active = f"SELECT id, kind, document FROM jobs WHERE state IN ('starting', 'running') AND {mine}"
        for found in store.execute(active, (resource, *except_kinds)):
            if not is_excepted(found["kind"], found["document"]):
                return str(found["id"])
        if store.execute("SELECT 1 FROM leases WHERE resource = ? LIMIT 1", (resource,)).fetchone():
            return ""  # what waits, waits for that job
        waiting = f"SELECT id, kind, document FROM jobs WHERE {READY.replace(':now', '?')} AND {mine} LIMIT ?"
        times = [time.time()] * READY.count(":now")
        for found in store.execute(waiting, (*times, resource, *except_kinds, MOST_LOOKED_AT)):
            if not is_excepted(found["kind"], found["document"]):
                return str(found["id"])
        return ""
