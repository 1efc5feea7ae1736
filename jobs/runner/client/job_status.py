"""Status of jobs: from a row of the store to the record that tools and commands show."""

import functools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import from_json

from jobs.files import records
from jobs.runner.machine import locks, preflight
from jobs.runner.models import TERMINAL, Failure, JobRecord, Reason
from jobs.runner.paths import Home
from jobs.runner.store import JobRow, Store
from jobs.settings import Settings

REASONS: frozenset[str] = frozenset(get_args(Reason))
STALL_S = 600.0  # a job that is silent for so long is reported, never stopped


class StatusReader:
    """State of a home at one moment, for any number of records: what all rows share is read once."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._home = Home(settings.home)

    def records(self, rows: Sequence[JobRow]) -> list[JobRecord]:
        """Build the records of rows, each with a sentence that explains the job's state."""
        needs: dict[str, list[str]] = {}
        for job_id, needed, state in self._store.unmet_needs([row.id for row in rows if row.state == "queued"]):
            needs.setdefault(job_id, []).append(f"{needed} ({state})")
        parents = self._store.parents([row.id for row in rows])
        followers = self._store.followers([row.id for row in rows])
        return [self._record(row, needs.get(row.id, ()), parents.get(row.id), followers.get(row.id)) for row in rows]

    def _record(self, row: JobRow, needs: Sequence[str], parent: str | None, follower: str | None) -> JobRecord:
        computed = {
            "job_id": row.id,
            "parent": parent,
            "follower": follower,
            "has_ended_chain": row.state in ("failed", "cancelled") and self._store.waited_for(row.id) > 0,
            "detail": self._detail(row, needs),
            "failure": _failure(row.failure),
            "reason": row.reason if row.reason in REASONS else None,
            "params": (document := from_json(row.document))["params"],
            "placed": document.get("placed", []),
            "result": _document(row.result),
            "folder": str(self._home.job(row.id)),
            "is_collected": row.state in TERMINAL and self._home.collected(row.id).exists(),
        }
        return JobRecord.model_validate(vars(row) | computed)

    def _detail(self, row: JobRow, needs: Sequence[str]) -> str:
        if row.state in TERMINAL:
            return row.detail
        if row.cancel:
            grace_s = self._settings.cancel_grace_s
            return f"asked to stop; it does at its next safe point, after {grace_s:g} s by force"
        if row.state == "running":
            parts = [f"try {row.tries} of {row.max_tries}" if row.tries > 1 else "", self._stall(row)]
            return "; ".join(part for part in parts if part)
        if row.state == "starting" and row.backend != "local":
            return row.detail or f"is handed to {row.backend}"
        before = f"try {row.tries} of {row.max_tries} was {row.detail}; " if row.detail and row.tries else ""
        match row.state:
            case "queued":
                return before + self._waits_for(row, needs)
            case "starting":
                return before + "is being started"
            case _:
                return before + "will be continued"

    def _stall(self, row: JobRow) -> str:
        """Return a warning when a job has long reported no progress."""
        folder = self._home.attempt(row.id, row.attempt)
        newest = max((_changed_at(path) for path in (folder.start, folder.progress)), default=0.0)
        silent_s = time.time() - newest if newest else 0.0
        return f"no progress for {silent_s / 60:.0f} min" if silent_s > STALL_S else ""

    def _waits_for(self, row: JobRow, needs: Sequence[str]) -> str:
        settings = self._settings
        if not self._is_supervised:
            return f"waits for the supervisor, which does not run; {self._home.supervisor_log} may say why"
        if needs:
            return f"waits for {', '.join(needs)}"
        if row.not_before is not None and row.not_before > time.time():
            at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(row.not_before))
            return f"waits until {at} UTC" + (", the pause before the next try" if row.tries else "")
        if self._free_bytes < settings.disk_reserve_bytes:
            return f"waits for space on the disk of {settings.home}: less than the reserve is free"
        if row.backend != "local":
            return f"waits to be handed to {row.backend}"
        memory = self._memory
        if memory is not None and row.memory_mb is not None and row.memory_mb > memory.available_mb:
            return f"waits for memory: it declares {row.memory_mb} MB, {memory.available_mb:.0f} MB are available"
        users = [user for user in self._users(row.resource) if user != row.id]  # its slot may be its own by now
        held = self._holds.get(row.resource)
        if users:
            verb = "uses" if len(users) == 1 else "use"
            return f"waits for the {row.resource}, which {', '.join(users)} {verb}" + (f"; {held}" if held else "")
        return str(held or "is started as soon as the supervisor looks")

    @functools.cached_property
    def _is_supervised(self) -> bool:
        return locks.is_held(self._home.supervisor_lock)

    @functools.cached_property
    def _free_bytes(self) -> int:
        return preflight.free_bytes(self._settings.home)

    @functools.cached_property
    def _memory(self) -> preflight.Memory | None:
        return preflight.memory_of_machine()

    @functools.cached_property
    def _holds(self) -> dict[str, str]:
        return records.read_record(self._home.holds) or {}

    @functools.cache  # noqa: B019 (a view lives for one answer)
    def _users(self, resource: str) -> list[str]:
        return list(self._store.leases(resource).values())


def _document(text: str | None) -> dict[str, Any] | None:
    """Read what a worker has left; None where it is no JSON object: the worker may have been taken over."""
    try:
        document = from_json(text) if text else None
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _failure(text: str | None) -> Failure | None:
    document = _document(text)
    if document is None:
        return None
    try:
        return Failure.model_validate(document)
    except ValidationError:
        return None


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
