"""Attempts whose shim has ended: what their files say is checked before a process is signalled."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jobs.files import records
from jobs.runner.machine import processes
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.runner.supervisor.lost_attempts import LostAttempts
from jobs.settings import Settings

JOB = "add-20261122-131144-7f3a"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc (Linux)")
def test_a_record_that_names_another_process_stops_nothing(settings: Settings, store: Store, home: Home) -> None:
    row = {"id": JOB, "kind": "add", "spec_hash": "", "document": "{}", "resource": "cpu", "environment": "ml",
           "max_tries": 1, "created_at": 1.0, "state": "running", "attempt": 1, "cancel": 1}  # fmt: skip
    with store.transaction() as connection:
        store.insert(connection, row, None)
    folder = home.attempt(JOB, 1)
    folder.path.mkdir(parents=True)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as other:
        started = processes.start_time(other.pid)
        records.write_record(folder.start, {"pid": other.pid, "start_time": started, "shim": 1})
        running = store.get(JOB)
        assert running is not None

        LostAttempts(settings, store).settle(running, folder, {})
        said = other.communicate(b"still here")[0]

    settled = store.get(JOB)
    assert said == b"still here"
    assert settled is not None
    assert settled.state == "cancelled"
