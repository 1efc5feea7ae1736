"""Slots of the job store: the jobs that may start now, and the units that running jobs hold. stdlib only."""

import math
import sqlite3
import time
from collections.abc import Sequence

from jobs.runner.store.connection import StoreConnection
from jobs.runner.store.rows import JobRow

LONGEST_BACK_OFF_S = 300.0
# May start now. A back-off is never longer than LONGEST_BACK_OFF_S: what looks longer is a clock that was set back.
READY = f"""
state = 'queued' AND cancel = 0
AND (not_before IS NULL OR not_before <= :now OR (attempt > 0 AND not_before > :now + {LONGEST_BACK_OFF_S}))
AND NOT EXISTS (SELECT 1 FROM deps JOIN jobs AS needed ON needed.id = deps.needs
                WHERE deps.job = jobs.id AND needed.state <> 'succeeded')
"""


class _LostError(Exception):
    """A compare-and-swap found another state; its transaction is rolled back."""


class Slots(StoreConnection):
    """Methods of the store that hand out slots."""

    def next_ready(self, resource: str, limit: int, memory_mb: float = math.inf) -> list[JobRow]:
        """Queued jobs of a resource that may start now: highest priority first, then oldest.

        Asked per resource, so that one queue cannot starve another.

        Args:
            resource: the slots that are free.
            limit: how many.
            memory_mb: main memory that is available; jobs that declare more are passed over.
        """
        return self._many(
            f"SELECT * FROM jobs INDEXED BY jobs_queue WHERE {READY} AND backend = 'local' AND resource = :resource "
            "AND (memory_mb IS NULL OR memory_mb <= :memory) ORDER BY priority DESC, seq LIMIT :limit",
            {"resource": resource, "limit": limit, "memory": memory_mb, "now": time.time()},
        )

    def next_ready_elsewhere(self, limit: int) -> list[JobRow]:
        """Queued jobs of other backends that may be handed over now; those have their own slots."""
        return self._many(
            f"SELECT * FROM jobs WHERE {READY} AND backend <> 'local' ORDER BY priority DESC, seq LIMIT :limit",
            {"limit": limit, "now": time.time()},
        )

    def leases(self, resource: str) -> dict[int, str]:
        """Units of a resource in use, and the jobs that hold them."""
        rows = self.connection.execute("SELECT unit, job FROM leases WHERE resource = ? ORDER BY unit", (resource,))
        return {int(row["unit"]): str(row["job"]) for row in rows}

    def claim(self, job_id: str, attempt: int, leases: Sequence[tuple[str, int]] = ()) -> bool:
        """queued → starting of a new attempt; ``attempt`` is the one before it.

        Args:
            job_id: the job.
            attempt: the one before.
            leases: resources and units that the new attempt holds until it ends, all or none; none for other backends.
        """
        try:
            with self.transaction() as connection:
                connection.executemany(
                    "INSERT INTO leases(resource, unit, job, attempt) VALUES(?, ?, ?, ?)",
                    [(*lease, job_id, attempt + 1) for lease in leases],
                )
                if not self._swap(
                    "UPDATE jobs SET state = 'starting', attempt = attempt + 1, backend_ref = NULL "
                    "WHERE id = ? AND attempt = ? AND state = 'queued' AND cancel = 0",
                    job_id, attempt,
                ):  # fmt: skip
                    raise _LostError
        except (_LostError, sqlite3.IntegrityError):  # somebody else has the job, or the unit
            return False
        return True
