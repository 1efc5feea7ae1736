"""Changes of a job's state, every one a compare-and-swap: True when this caller made the change. stdlib only."""

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from typing import Any

from jobs.runner.attempt.outcome import Outcome
from jobs.runner.store.connection import StoreConnection
from jobs.runner.store.schema import LIVE_SQL

MAX_FREE_STARTS = 10  # a shim that never comes up so often is a broken installation, not bad luck


class Transitions(StoreConnection):
    """Writing methods of the store."""

    def insert(
        self, connection: sqlite3.Connection, row: Mapping[str, Any], key: str | None, after: Iterable[str] = ()
    ) -> None:
        """Add a queued job, and what it waits for, within a transaction.

        Raises ``sqlite3.IntegrityError`` when the id is taken.
        """
        columns = ", ".join(row)
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO jobs({columns}) VALUES({marks})", tuple(row.values()))
        job_id = str(row["id"])
        connection.executemany("INSERT OR IGNORE INTO deps(job, needs) VALUES(?, ?)", [(job_id, on) for on in after])
        if key is not None:
            self.remember_key(connection, key, job_id, str(row["spec_hash"]))

    def remember_key(self, connection: sqlite3.Connection, key: str, job_id: str, spec_hash: str) -> None:
        """Tie an idempotency key to a job for good."""
        connection.execute("INSERT INTO keys(key, job, spec_hash) VALUES(?, ?, ?)", (key, job_id, spec_hash))

    def ask_to_cancel(self, job_id: str) -> bool:
        """Record the request to stop a job that is not finished."""
        return self._swap(f"UPDATE jobs SET cancel = 1 WHERE id = ? AND cancel = 0 AND state IN {LIVE_SQL}", job_id)

    def cancel_waiting(self, job_id: str) -> bool:
        """Finish a cancelled job that no process works on. Cancel wins over retry."""
        return self._swap(
            "UPDATE jobs SET state = 'cancelled', reason = 'cancelled', ended_at = ?, "
            "detail = CASE WHEN tries = 0 THEN 'cancelled before it started' ELSE 'cancelled' END "
            "WHERE id = ? AND cancel = 1 AND state IN ('queued', 'interrupted')",
            time.time(), job_id,
        )  # fmt: skip

    def note(self, job_id: str, attempt: int, detail: str, backend_ref: str | None = None) -> bool:
        """Keep what a backend says of an attempt that has not begun, and what it calls it."""
        return self._swap(
            "UPDATE jobs SET detail = ?, backend_ref = coalesce(?, backend_ref) "
            "WHERE id = ? AND attempt = ? AND state = 'starting'",
            detail, backend_ref, job_id, attempt,
        )  # fmt: skip

    def begin(self, job_id: str, attempt: int) -> bool:
        """starting → running, by the shim; false when the attempt was given up or cancelled meanwhile."""
        return self._swap(
            "UPDATE jobs SET state = 'running', tries = tries + 1, started_at = coalesce(started_at, ?), "
            "reason = NULL, detail = '', exit_code = NULL, ended_at = NULL "
            "WHERE id = ? AND attempt = ? AND state = 'starting' AND cancel = 0",
            time.time(), job_id, attempt,
        )  # fmt: skip

    def unclaim(self, job_id: str, attempt: int, delay_s: float = 0.0) -> bool:
        """starting → queued, for later: the attempt never ran, so it costs no try. Too often in a row is a failure."""
        return self._swap(
            "UPDATE jobs SET state = iif(:is_last, 'failed', 'queued'), reason = iif(:is_last, 'spawn', NULL), "
            "detail = iif(:is_last, 'the worker could not be started; ' "
            "|| 'supervisor.log in the home folder says why', ''), "
            "ended_at = iif(:is_last, :now, NULL), not_before = :now + :delay "
            "WHERE id = :id AND attempt = :attempt AND state = 'starting'",
            {"is_last": self._starts_in_a_row(job_id) >= MAX_FREE_STARTS, "now": time.time(), "delay": delay_s,
             "id": job_id, "attempt": attempt},
        )  # fmt: skip

    def _starts_in_a_row(self, job_id: str) -> int:
        """Count the starts since an attempt last ran."""
        query = (
            "SELECT count(*) FROM events WHERE job = :id AND state = 'starting' AND seq > "
            "(SELECT coalesce(max(seq), 0) FROM events WHERE job = :id AND state = 'running')"
        )
        return int(self.connection.execute(query, {"id": job_id}).fetchone()[0])

    def finish(self, job_id: str, attempt: int, outcome: Outcome) -> bool:
        """starting or running → the attempt's end. Idempotent: the first call wins."""
        return self._swap(
            "UPDATE jobs SET state = ?, reason = ?, detail = ?, exit_code = ?, result = ?, failure = ?, "
            "ended_at = ? WHERE id = ? AND attempt = ? AND state IN ('starting', 'running')",
            outcome.state, outcome.reason, outcome.detail, outcome.exit_code, _json(outcome.result),
            _json(outcome.failure), time.time(), job_id, attempt,
        )  # fmt: skip

    def settle_interrupted(self, job_id: str, delay_s: float = 0.0, *, is_free: bool = False) -> bool:
        """interrupted → queued, for later, while tries are left, else failed with the last interruption's reason.

        With ``is_free`` one more try is allowed for the one that was interrupted.
        """
        return self._swap(
            "UPDATE jobs SET state = CASE WHEN tries < max_tries + :free THEN 'queued' ELSE 'failed' END, "
            "detail = CASE WHEN tries < max_tries + :free THEN detail ELSE detail || '; no tries left' END, "
            "max_tries = max_tries + :free, not_before = :not_before "
            "WHERE id = :id AND state = 'interrupted' AND cancel = 0",
            {"free": int(is_free), "not_before": time.time() + delay_s, "id": job_id},
        )

    def give_up(self, job_id: str, why: str) -> bool:
        """interrupted → failed, though tries are left."""
        return self._swap(
            "UPDATE jobs SET state = 'failed', detail = detail || '; ' || ? "
            "WHERE id = ? AND state = 'interrupted' AND cancel = 0",
            why, job_id,
        )  # fmt: skip


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)
