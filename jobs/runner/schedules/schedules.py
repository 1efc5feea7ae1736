"""Schedules: each submits one job at each of its planned times.

``python -m jobs.runner.schedules HOME`` submits what is due; the supervisor starts it. A schedule's job has the key
``schedule:<id>:<planned time>``, so that a planned time gives one job, also when several processes submit or one is
killed. Times that passed while the machine was off are made up for by one job.
"""

import json
import logging
import secrets
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from jobs.errors import UserError
from jobs.param_types import Strict
from jobs.runner import supervisor_launcher
from jobs.runner.client.runner import Runner
from jobs.runner.job_kind import JobKind, load_kind
from jobs.runner.models import TERMINAL
from jobs.runner.paths import Home
from jobs.runner.schedules.rule import ScheduleRule
from jobs.runner.store import Store
from jobs.settings import Settings

logger = logging.getLogger("jobs.runner.schedules")

KEY_PREFIX = "schedule:"
"""Of the keys of jobs that schedules start; no caller may give such a key."""

LATE_S = 300.0  # a planned time that is this far gone was missed
# Inside Schedules the word ``list`` is a method.
_Ids: TypeAlias = list[str]


@dataclass(frozen=True)
class Schedule:
    """A row of ``schedules``. ``document`` says what to run; times are Unix seconds."""

    id: str
    kind: str
    document: dict[str, Any]
    rule: ScheduleRule
    catch_up: bool
    next_at: float
    last_job: str | None
    n_runs: int
    enabled: bool
    note: str


class Schedules:
    """The schedules of a home."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._home = Home(settings.home)
        self._store = Store(self._home)

    def create(
        self,
        kind: JobKind,
        params: Strict,
        rule: ScheduleRule,
        *,
        name: str | None = None,
        catch_up: bool = True,
        placement: dict[str, Any] | None = None,
        now: float | None = None,
    ) -> Schedule:
        """Store a schedule; its first time is the next that the rule gives.

        Args:
            kind: what to run.
            params: checked parameters; the worker checks them again each time.
            rule: when.
            name: its id; else one is made of the kind.
            catch_up: run once after a time was missed; else wait for the next one.
            placement: priority, max_run_s and backend of ``Runner.submit``.
            now: Unix time, for tests.

        Raises:
            UserError: ``schedule_exists``.
        """
        now = time.time() if now is None else now
        schedule_id = name or f"{kind.name}-{secrets.token_hex(2)}"
        document = {
            "spec": kind.module,
            "params": params.model_dump(mode="json"),
            "placement": placement or {},
            "roots": [str(root) for root in self._settings.roots],
        }
        with self._store.transaction() as connection:
            if connection.execute("SELECT 1 FROM schedules WHERE id = ?", (schedule_id,)).fetchone():
                raise UserError(
                    "schedule_exists",
                    f"There is a schedule {schedule_id!r} already.",
                    "Delete it first, or use another name.",
                )
            connection.execute(
                "INSERT INTO schedules(id, kind, document, resource, environment, max_tries, every_s, cron, tz,"
                " catch_up, next_at, created_at) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    schedule_id, kind.name, json.dumps(document), kind.resource, kind.environment, kind.max_tries,
                    rule.every_s, rule.cron, rule.tz, int(catch_up), rule.next_after(now, now), now,
                ),
            )  # fmt: skip
        self._see_to()
        return self.get(schedule_id)

    def get(self, schedule_id: str) -> Schedule:
        """Return a schedule. Raises ``UserError`` ``schedule_unknown``."""
        row = self._store.connection.execute("SELECT * FROM schedules WHERE id = ?", (schedule_id,)).fetchone()
        if row is None:
            known = ", ".join(schedule.id for schedule in self.list()) or "none"
            raise UserError("schedule_unknown", f"There is no schedule {schedule_id!r}.", f"There are: {known}.")
        return _schedule(row)

    def list(self) -> list[Schedule]:
        """List all schedules, the next to run first, paused ones last."""
        rows = self._store.connection.execute("SELECT * FROM schedules ORDER BY enabled DESC, next_at, id")
        found = [_schedule(row) for row in rows.fetchall()]
        if any(schedule.enabled for schedule in found):
            self._see_to()
        return found

    def pause(self, schedule_id: str) -> Schedule:
        """Stop submitting; jobs that were submitted go on."""
        self.get(schedule_id)
        self._store.connection.execute("UPDATE schedules SET enabled = 0 WHERE id = ?", (schedule_id,))
        return self.get(schedule_id)

    def resume(self, schedule_id: str, now: float | None = None) -> Schedule:
        """Continue with the next time from now; times that a pause skipped are not made up for."""
        now = time.time() if now is None else now
        schedule = self.get(schedule_id)
        self._store.connection.execute(
            "UPDATE schedules SET enabled = 1, note = '', next_at = ? WHERE id = ?",
            (
                schedule.next_at if schedule.next_at > now else schedule.rule.next_after(schedule.next_at, now),
                schedule_id,
            ),
        )
        self._see_to()
        return self.get(schedule_id)

    def delete(self, schedule_id: str) -> None:
        """Delete a schedule; its jobs stay. Raises ``schedule_unknown``."""
        self.get(schedule_id)
        self._store.connection.execute("DELETE FROM schedules WHERE id = ?", (schedule_id,))

    def run_now(self, schedule_id: str) -> str:
        """Submit its job at once, beside the planned times. Returns the job's id."""
        return self._submit(self.get(schedule_id), f"now:{secrets.token_hex(4)}")

    def submit_due(self, now: float | None = None) -> _Ids:
        """Submit a job for every schedule whose time has come. Returns the jobs' ids.

        A schedule whose last job is not finished skips its time; one whose job cannot be submitted says why in its
        ``note`` and tries again at its next time.
        """
        now = time.time() if now is None else now
        submitted = []
        rows = self._store.connection.execute("SELECT * FROM schedules WHERE enabled = 1 AND next_at <= ?", (now,))
        for schedule in [_schedule(row) for row in rows.fetchall()]:
            job_id, note = self._run_planned(schedule, now)
            # After a kill before this line the same planned time comes again; the key makes it the same job.
            self._store.connection.execute(
                "UPDATE schedules SET next_at = ?, note = ?, last_job = coalesce(?, last_job), "
                "n_runs = n_runs + (? IS NOT NULL) WHERE id = ? AND next_at = ?",
                (
                    schedule.rule.next_after(schedule.next_at, now), note, job_id, job_id, schedule.id,
                    schedule.next_at,
                ),
            )  # fmt: skip
            if job_id is not None:
                submitted.append(job_id)
        return submitted

    def _run_planned(self, schedule: Schedule, now: float) -> tuple[str | None, str]:
        """Submit the job of the planned time; without a job return None and the reason."""
        at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(schedule.next_at))
        if now - schedule.next_at > LATE_S and not schedule.catch_up:
            return None, f"{at} was missed"
        last = self._store.get(schedule.last_job) if schedule.last_job else None
        key = f"{schedule.next_at:.0f}"
        if last is not None and last.state not in TERMINAL and self._store.by_key(_key(schedule, key)) is None:
            return None, f"{at} was skipped: {last.id} was not finished"
        try:
            return self._submit(schedule, key), ""
        except UserError as error:
            logger.warning("schedule %s: %s", schedule.id, error)
            return None, f"{at} failed: {error.code}: {error.message}"
        except (ImportError, LookupError, ValueError) as error:  # a spec that an update has changed
            logger.warning("schedule %s is broken: %s", schedule.id, error)
            return None, f"{at} failed: its parameters do not fit this version any more: {error}"
        except (OSError, RecursionError) as error:  # a path that cannot be used must not stop other schedules
            logger.warning("schedule %s: %s", schedule.id, error)
            return None, f"{at} failed: {type(error).__name__}: {error}"

    def _submit(self, schedule: Schedule, occasion: str) -> str:
        kind = load_kind(schedule.document["spec"], schedule.kind)
        roots = tuple(Path(root) for root in schedule.document["roots"])
        runner = Runner(replace(self._settings, roots=roots))
        params = kind.params.model_validate(schedule.document["params"])
        submission = runner.submit(
            kind, params, key=_key(schedule, occasion), reuse=False, **schedule.document["placement"]
        )
        return submission.job.job_id

    def _see_to(self) -> None:
        supervisor_launcher.ensure_supervisor(self._settings)
        supervisor_launcher.wake(self._home)


def _key(schedule: Schedule, occasion: str) -> str:
    return f"{KEY_PREFIX}{schedule.id}:{occasion}"


def _schedule(row: Any) -> Schedule:
    return Schedule(
        id=str(row["id"]),
        kind=str(row["kind"]),
        document=json.loads(row["document"]),
        rule=ScheduleRule(row["every_s"], row["cron"], row["tz"] or "UTC"),
        catch_up=bool(row["catch_up"]),
        next_at=float(row["next_at"]),
        last_job=row["last_job"],
        n_runs=int(row["n_runs"]),
        enabled=bool(row["enabled"]),
        note=str(row["note"]),
    )


def main() -> None:
    """Entry of ``python -m jobs.runner.schedules``."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s schedules %(levelname)s: %(message)s")
    for job_id in Schedules(replace(Settings.from_environment(), home=Path(sys.argv[1]))).submit_due():
        logger.info("submitted %s", job_id)
