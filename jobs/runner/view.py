"""From a row of the store to the record that every door shows."""

from __future__ import annotations

import json

from jobs.runner import locks, preflight
from jobs.runner.layout import Home
from jobs.runner.records import TERMINAL, JobRecord
from jobs.runner.store import JobRow, Store
from jobs.settings import Settings


def record_of(row: JobRow, store: Store, settings: Settings) -> JobRecord:
    """What a row says, with a sentence on why the job is where it is."""
    return JobRecord.model_validate(
        {
            "job_id": row.id,
            "kind": row.kind,
            "state": row.state,
            "reason": row.reason,
            "detail": _detail(row, store, settings),
            "exit_code": row.exit_code,
            "failure": json.loads(row.failure) if row.failure else None,
            "attempt": row.attempt,
            "tries": row.tries,
            "max_tries": row.max_tries,
            "resource": row.resource,
            "environment": row.environment,
            "params": json.loads(row.document)["params"],
            "result": json.loads(row.result) if row.result else None,
            "folder": str(Home(settings.home).job(row.id)),
            "created_at": row.created_at,
            "started_at": row.started_at,
            "ended_at": row.ended_at,
        }
    )


def _detail(row: JobRow, store: Store, settings: Settings) -> str:
    if row.state in TERMINAL:
        return row.detail
    if row.cancel:
        return f"asked to stop; it does at its next safe point, after {settings.cancel_grace_s:g} s by force"
    if row.state == "running":
        return f"try {row.tries} of {row.max_tries}" if row.tries > 1 else ""
    before = f"try {row.tries} of {row.max_tries} was {row.detail}; " if row.detail else ""
    match row.state:
        case "queued":
            return before + _waits_for(row, store, settings)
        case "starting":
            return before + "is being started"
        case _:
            return before + "will be continued"


def _waits_for(row: JobRow, store: Store, settings: Settings) -> str:
    home = Home(settings.home)
    if not locks.is_held(home.supervisor_lock):
        return f"waits for the supervisor, which does not run; {home.supervisor_log} may say why"
    if preflight.free_bytes(settings.home) < settings.disk_reserve_bytes:
        return f"waits for space on the disk of {settings.home}: less than the reserve is free"
    busy = store.in_state("starting", "running")
    others = [other.id for other in busy if other.resource == row.resource and other.id != row.id]
    return f"waits for the {row.resource}, which {', '.join(others)} uses" if others else "waits to be started"
