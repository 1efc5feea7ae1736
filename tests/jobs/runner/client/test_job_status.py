"""Why a job is where it is, in words."""

from __future__ import annotations

import json

from jobs.runner.client.job_status import StatusReader
from jobs.runner.machine import locks
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import Settings

JOBS = ("add-20261125-120000-0001", "add-20261125-120000-0002")


def test_a_job_that_gets_its_slot_just_now_does_not_wait_for_itself(
    settings: Settings, store: Store, home: Home
) -> None:
    for job_id in JOBS:
        with store.transaction() as connection:
            row = {"id": job_id, "kind": "add", "spec_hash": "h", "document": json.dumps({"params": {}}),
                   "resource": "cpu", "environment": "ml", "max_tries": 3, "created_at": 0.0}  # fmt: skip
            store.insert(connection, row, None, ())
    rows = [store.get(job_id) for job_id in JOBS]  # a look that begins before the slot is given
    assert locks.take(home.supervisor_lock, wait=False) is not None
    assert store.claim(JOBS[0], 0, [("cpu", 0)])

    first, second = StatusReader(store, settings).records([row for row in rows if row is not None])

    assert first.detail == "is started as soon as the supervisor looks"
    assert second.detail == f"waits for the cpu, which {JOBS[0]} uses"
