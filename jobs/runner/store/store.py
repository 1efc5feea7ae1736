"""The job store: one SQLite file, one row per job, every change of state a compare-and-swap. stdlib only.

Progress, logs and artifacts are files of the attempt and never pass through here.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from jobs.errors import UserError
from jobs.runner.attempt.outcome import Outcome
from jobs.runner.paths import Home
from jobs.runner.store.schema import LIVE_SQL, SCHEMA_VERSION, upgrade

BUSY_TIMEOUT_S = 30.0
LONGEST_BACK_OFF_S = 300.0
# May start now. A back-off is never longer than LONGEST_BACK_OFF_S: what looks longer is a clock that was set back.
_READY = f"""
state = 'queued' AND cancel = 0
AND (not_before IS NULL OR not_before <= :now OR (attempt > 0 AND not_before > :now + {LONGEST_BACK_OFF_S}))
AND NOT EXISTS (SELECT 1 FROM deps JOIN jobs AS needed ON needed.id = deps.needs
                WHERE deps.job = jobs.id AND needed.state <> 'succeeded')
"""
MAX_FREE_STARTS = 10  # a shim that never comes up so often is a broken installation, not bad luck


@dataclass(frozen=True)
class JobRow:
    """A row of ``jobs``, column for column. ``document`` is the JSON that says what to run."""

    seq: int
    id: str
    kind: str
    spec_hash: str
    fingerprint: str | None
    document: str
    resource: str
    environment: str
    state: str
    attempt: int
    tries: int
    max_tries: int
    cancel: int
    exit_code: int | None
    reason: str | None
    detail: str
    result: str | None
    failure: str | None
    created_at: float
    started_at: float | None
    ended_at: float | None
    priority: int = 0
    not_before: float | None = None
    max_run_s: float | None = None
    backend: str = "local"
    backend_ref: str | None = None
    memory_mb: int | None = None


_COLUMNS = tuple(field.name for field in fields(JobRow))


class _LostError(Exception):
    """A compare-and-swap found another state; its transaction is rolled back."""


class Store:
    """The store of one home. One connection per thread; safe to share between threads."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._database = str(home.database)  # looked at before every query: a path object would cost more than the look
        self._local = threading.local()

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection, opened anew when the file was replaced (a home that was deleted)."""
        try:
            stat = os.stat(self._database)  # noqa: PTH116
            identity = (stat.st_dev, stat.st_ino)
        except OSError:
            identity = None
        if identity is None or getattr(self._local, "identity", None) != identity:
            self._local.connection = self._open()
            stat = self._home.database.stat()
            self._local.identity = (stat.st_dev, stat.st_ino)
        connection: sqlite3.Connection = self._local.connection
        return connection

    def _open(self) -> sqlite3.Connection:
        try:
            self._home.path.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._home.database, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode=WAL")
            # FULL: an acknowledged job and a final state survive a power cut; tens of commits a minute can pay it.
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA recursive_triggers=ON")  # a failure is passed on along the whole chain
            version = upgrade(connection)
        except (OSError, sqlite3.OperationalError) as error:
            raise UserError(
                "home_unusable",
                f"The job store {self._home.database} cannot be opened: {error}.",
                "Give TTS_TRAIN_HOME a folder on a local disk that you may write to.",
            ) from error
        if version > SCHEMA_VERSION:
            raise UserError(
                "home_newer",
                f"{self._home.database} was made by a newer version: schema {version}, known here {SCHEMA_VERSION}.",
                "Update tts-train, or point TTS_TRAIN_HOME at another folder.",
            )
        return connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction that takes the write lock at once, so that what it reads cannot change under it.

        Within another one of the same thread it is a part of that one: all or nothing.
        """
        connection = self.connection
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has ended it already
                connection.execute("ROLLBACK")
            raise

    # Reading

    def get(self, job_id: str) -> JobRow | None:
        """A job's row, or None."""
        return self._one("SELECT * FROM jobs WHERE id = ?", job_id)

    def by_key(self, key: str) -> tuple[JobRow, str] | None:
        """The job of an idempotency key and the spec hash that the key was first used with."""
        found = self.connection.execute("SELECT job, spec_hash FROM keys WHERE key = ?", (key,)).fetchone()
        row = self.get(found["job"]) if found else None
        return (row, str(found["spec_hash"])) if row else None

    def by_fingerprint(self, kind: str, fingerprint: str) -> list[JobRow]:
        """Jobs that are alive or have succeeded with this fingerprint, newest first; not those asked to stop."""
        return self._many(
            "SELECT * FROM jobs WHERE fingerprint = ? AND kind = ? AND (state = 'succeeded' OR "
            f"(cancel = 0 AND state IN {LIVE_SQL})) ORDER BY seq DESC LIMIT 20",
            fingerprint, kind,
        )  # fmt: skip

    def newest(self, *, state: str | None, kind: str | None, limit: int, before: int | None) -> list[JobRow]:
        """Rows, newest first; ``before`` is the ``seq`` that the page starts after."""
        wanted = {"state = ?": state, "kind = ?": kind, "seq < ?": before}
        given = {clause: value for clause, value in wanted.items() if value is not None}
        where = " WHERE " + " AND ".join(given) if given else ""
        return self._many(f"SELECT * FROM jobs{where} ORDER BY seq DESC LIMIT ?", *given.values(), limit)

    def all_oldest_first(self) -> list[JobRow]:
        """Every job."""
        return self._many("SELECT * FROM jobs ORDER BY seq")

    def needs_of_unfinished(self) -> list[tuple[str, str]]:
        """(job, the job that it waits for) of all jobs that are not finished."""
        query = f"SELECT job, needs FROM deps JOIN jobs ON jobs.id = deps.job WHERE state IN {LIVE_SQL}"
        return [(str(row["job"]), str(row["needs"])) for row in self.connection.execute(query)]

    def schedule_documents(self) -> list[str]:
        """What all schedules will run, as JSON."""
        return [str(row["document"]) for row in self.connection.execute("SELECT document FROM schedules")]

    def in_state(self, *states: str) -> list[JobRow]:
        """Rows in one of some live states, oldest first."""
        marks = ", ".join("?" * len(states))
        return self._many(f"SELECT * FROM jobs WHERE state IN {LIVE_SQL} AND state IN ({marks}) ORDER BY seq", *states)

    def unsettled(self) -> list[JobRow]:
        """Jobs that no process works on and whose state must change: interrupted, or cancelled while they wait."""
        return self.in_state("interrupted") + self._many(
            f"SELECT * FROM jobs INDEXED BY jobs_live WHERE state IN {LIVE_SQL} AND state = 'queued' AND cancel = 1"
        )

    def has_live_jobs(self) -> bool:
        """True while anything is left to do, or will be: a schedule needs a supervisor, too."""
        query = (
            f"SELECT 1 FROM jobs WHERE state IN {LIVE_SQL} UNION ALL SELECT 1 FROM schedules WHERE enabled = 1 LIMIT 1"
        )
        return self.connection.execute(query).fetchone() is not None

    def next_ready(self, resource: str, limit: int, memory_mb: float = math.inf) -> list[JobRow]:
        """Queued jobs of a resource that may start now: highest priority first, then oldest.

        Asked per resource, so that one queue cannot starve another.

        Args:
            resource: the slots that are free.
            limit: how many.
            memory_mb: main memory that is available; jobs that declare more are passed over.
        """
        return self._many(
            f"SELECT * FROM jobs INDEXED BY jobs_queue WHERE {_READY} AND backend = 'local' AND resource = :resource "
            "AND (memory_mb IS NULL OR memory_mb <= :memory) ORDER BY priority DESC, seq LIMIT :limit",
            {"resource": resource, "limit": limit, "memory": memory_mb, "now": time.time()},
        )

    def next_ready_elsewhere(self, limit: int) -> list[JobRow]:
        """Queued jobs of other backends that may be handed over now; those have their own slots."""
        return self._many(
            f"SELECT * FROM jobs WHERE {_READY} AND backend <> 'local' ORDER BY priority DESC, seq LIMIT :limit",
            {"limit": limit, "now": time.time()},
        )

    def has_queued_jobs(self) -> bool:
        """True while a job waits, for whatever."""
        return self.connection.execute("SELECT 1 FROM jobs WHERE state = 'queued' LIMIT 1").fetchone() is not None

    def is_schedule_due(self) -> bool:
        """True when a schedule's time has come."""
        query = "SELECT 1 FROM schedules WHERE enabled = 1 AND next_at <= ? LIMIT 1"
        return self.connection.execute(query, (time.time(),)).fetchone() is not None

    def next_due(self) -> float | None:
        """Unix time of the next job or schedule that waits for its time; None when none does."""
        query = (
            "SELECT min(at) FROM (SELECT min(not_before) AS at FROM jobs INDEXED BY jobs_due "
            "WHERE state = 'queued' AND not_before > :now "
            "UNION ALL SELECT min(next_at) FROM schedules WHERE enabled = 1 AND next_at > :now)"
        )
        found = self.connection.execute(query, {"now": time.time()}).fetchone()[0]
        return None if found is None else float(found)

    def leases(self, resource: str) -> dict[int, str]:
        """Units of a resource in use, and the jobs that hold them."""
        rows = self.connection.execute("SELECT unit, job FROM leases WHERE resource = ? ORDER BY unit", (resource,))
        return {int(row["unit"]): str(row["job"]) for row in rows}

    def unmet_needs(self, job_ids: Sequence[str]) -> list[tuple[str, str, str]]:
        """(job, a job that it waits for, that job's state) for some jobs; oldest first."""
        marks = ", ".join("?" * len(job_ids))
        query = f"""
            SELECT deps.job, jobs.id, jobs.state FROM deps JOIN jobs ON jobs.id = deps.needs
            WHERE deps.job IN ({marks}) AND jobs.state <> 'succeeded' ORDER BY jobs.seq
            """
        return [(str(job), str(needed), str(state)) for job, needed, state in self.connection.execute(query, job_ids)]

    def needed_by(self, job_id: str) -> list[JobRow]:
        """The jobs that wait, or have waited, for a job; oldest first."""
        return self._many(
            "SELECT jobs.* FROM deps JOIN jobs ON jobs.id = deps.job WHERE deps.needs = ? ORDER BY seq", job_id
        )

    def events(self, job_id: str) -> list[tuple[int, str]]:
        """A job's changes of state in order: (attempt, state)."""
        rows = self.connection.execute("SELECT attempt, state FROM events WHERE job = ? ORDER BY seq", (job_id,))
        return [(int(row["attempt"]), str(row["state"])) for row in rows]

    # Writing: every one a compare-and-swap; True when this caller made the change.

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
        """Note that a job that is not finished should stop."""
        return self._swap(f"UPDATE jobs SET cancel = 1 WHERE id = ? AND cancel = 0 AND state IN {LIVE_SQL}", job_id)

    def cancel_waiting(self, job_id: str) -> bool:
        """Finish a cancelled job that no process works on. Cancel wins over retry."""
        return self._swap(
            "UPDATE jobs SET state = 'cancelled', reason = 'cancelled', ended_at = ?, "
            "detail = CASE WHEN tries = 0 THEN 'cancelled before it started' ELSE 'cancelled' END "
            "WHERE id = ? AND cancel = 1 AND state IN ('queued', 'interrupted')",
            time.time(), job_id,
        )  # fmt: skip

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
        """starting → queued, for later: the attempt never ran, so it costs no try. Too often is a failure."""
        return self._swap(
            "UPDATE jobs SET state = CASE WHEN attempt - tries < :most THEN 'queued' ELSE 'failed' END, "
            "reason = CASE WHEN attempt - tries < :most THEN NULL ELSE 'spawn' END, "
            "detail = CASE WHEN attempt - tries < :most THEN '' ELSE 'the worker could not be started; "
            "supervisor.log in the home folder says why' END, "
            "ended_at = CASE WHEN attempt - tries < :most THEN NULL ELSE :now END, not_before = :now + :delay "
            "WHERE id = :id AND attempt = :attempt AND state = 'starting'",
            {"most": MAX_FREE_STARTS, "now": time.time(), "delay": delay_s, "id": job_id, "attempt": attempt},
        )

    def finish(self, job_id: str, attempt: int, outcome: Outcome) -> bool:
        """starting or running → how the attempt ended. Idempotent: the first to tell wins."""
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

    def interruptions(self, job_id: str) -> list[tuple[int, str]]:
        """A job's interruptions in order: (attempt, detail)."""
        query = "SELECT attempt, detail FROM events WHERE job = ? AND state = 'interrupted' ORDER BY seq"
        return [(int(row["attempt"]), str(row["detail"])) for row in self.connection.execute(query, (job_id,))]

    def _swap(self, query: str, *values: Any) -> bool:
        return self._execute(query, values).rowcount == 1

    def _execute(self, query: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        named = values[0] if len(values) == 1 and isinstance(values[0], dict) else values
        return self.connection.execute(query, named)

    def _one(self, query: str, *values: Any) -> JobRow | None:
        row = self._execute(query, values).fetchone()
        return _row(row) if row else None

    def _many(self, query: str, *values: Any) -> list[JobRow]:
        return [_row(row) for row in self._execute(query, values).fetchall()]


def _row(row: sqlite3.Row) -> JobRow:
    """The columns that this version knows; a newer one may have upgraded the home meanwhile."""
    return JobRow(*map(row.__getitem__, _COLUMNS))


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)
