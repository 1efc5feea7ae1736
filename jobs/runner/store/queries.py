"""Questions to the job store. stdlib only."""

import time
from collections.abc import Sequence

from jobs.runner.store.connection import StoreConnection
from jobs.runner.store.rows import JobRow
from jobs.runner.store.schema import LIVE_SQL


class Queries(StoreConnection):
    """Reading methods of the store."""

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

    def waited_for(self, job_id: str) -> int:
        """Return the number of jobs that were cancelled because this one did not succeed."""
        query = (
            "SELECT count(*) FROM jobs WHERE reason = 'dependency' AND state = 'cancelled' "
            "AND id IN (SELECT job FROM deps WHERE needs = ?)"
        )
        return int(self.connection.execute(query, (job_id,)).fetchone()[0])

    def followers(self, job_ids: Sequence[str]) -> dict[str, str]:
        """Return the jobs that wait for others, or have waited and not ended badly, by the others' ids: the newest."""
        marks = ", ".join("?" * len(job_ids))
        query = (
            f"SELECT deps.needs, jobs.id FROM deps JOIN jobs ON jobs.id = deps.job WHERE deps.needs IN ({marks}) "
            f"AND (jobs.state = 'succeeded' OR jobs.state IN {LIVE_SQL}) ORDER BY jobs.seq"
        )
        return {str(needed): str(job) for needed, job in self.connection.execute(query, job_ids)}

    def parents(self, job_ids: Sequence[str]) -> dict[str, str]:
        """Return the jobs that have started others, by the child's id; a child's key is ``child:PARENT:NAME``."""
        marks = ", ".join("?" * len(job_ids))
        query = f"SELECT job, key FROM keys WHERE key >= 'child:' AND key < 'child;' AND job IN ({marks})"
        return {str(job): str(key).split(":")[1] for job, key in self.connection.execute(query, job_ids)}

    def ended_early(self, kind: str, fingerprint: str) -> list[JobRow]:
        """Jobs with this fingerprint that failed, were cancelled or are asked to stop, newest first."""
        return self._many(
            "SELECT * FROM jobs WHERE fingerprint = ? AND kind = ? AND state <> 'succeeded' "
            "AND (cancel = 1 OR state IN ('failed', 'cancelled')) ORDER BY seq DESC LIMIT 20",
            fingerprint, kind,
        )  # fmt: skip

    def with_fingerprint(self, kind: str, fingerprint: str) -> list[JobRow]:
        """Jobs with this fingerprint in any state, newest first."""
        query = "SELECT * FROM jobs WHERE fingerprint = ? AND kind = ? ORDER BY seq DESC LIMIT 20"
        return self._many(query, fingerprint, kind)

    def with_text(self, kind: str, text: str) -> list[JobRow]:
        """Jobs of a kind whose document holds a text, newest first; at most 100."""
        query = "SELECT * FROM jobs WHERE kind = ? AND instr(document, ?) ORDER BY seq DESC LIMIT 100"
        return self._many(query, kind, text)

    def live_with_text(self, text: str) -> list[JobRow]:
        """Jobs that are not finished and whose document holds a text, oldest first."""
        query = f"SELECT * FROM jobs INDEXED BY jobs_live WHERE state IN {LIVE_SQL} AND instr(document, ?) ORDER BY seq"
        return self._many(query, text)

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

    def children_of_unfinished(self) -> list[tuple[str, str]]:
        """(job, child) of all jobs that are not finished and have started others; see ``parents``."""
        live = {str(row["id"]) for row in self.connection.execute(f"SELECT id FROM jobs WHERE state IN {LIVE_SQL}")}
        keys = self.connection.execute("SELECT job, key FROM keys WHERE key >= 'child:' AND key < 'child;'")
        pairs = [(str(key).split(":")[1], str(job)) for job, key in keys]
        return [(parent, child) for parent, child in pairs if parent in live]

    def schedule_documents(self) -> list[str]:
        """Return the documents of all schedules, as JSON."""
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

    def has_queued_jobs(self) -> bool:
        """True while any job is queued."""
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

    def unmet_needs(self, job_ids: Sequence[str]) -> list[tuple[str, str, str]]:
        """(job, a job that it waits for, that job's state) for some jobs; oldest first."""
        marks = ", ".join("?" * len(job_ids))
        query = f"""
            SELECT deps.job, jobs.id, jobs.state FROM deps JOIN jobs ON jobs.id = deps.needs
            WHERE deps.job IN ({marks}) AND jobs.state <> 'succeeded' ORDER BY jobs.seq
            """
        return [(str(job), str(needed), str(state)) for job, needed, state in self.connection.execute(query, job_ids)]

    def events(self, job_id: str) -> list[tuple[int, str]]:
        """A job's changes of state in order: (attempt, state)."""
        rows = self.connection.execute("SELECT attempt, state FROM events WHERE job = ? ORDER BY seq", (job_id,))
        return [(int(row["attempt"]), str(row["state"])) for row in rows]

    def interruptions(self, job_id: str) -> list[tuple[int, str]]:
        """A job's interruptions in order: (attempt, detail)."""
        query = "SELECT attempt, detail FROM events WHERE job = ? AND state = 'interrupted' ORDER BY seq"
        return [(int(row["attempt"]), str(row["detail"])) for row in self.connection.execute(query, (job_id,))]
