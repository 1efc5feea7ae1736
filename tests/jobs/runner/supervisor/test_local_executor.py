"""Codes of workers that the supervisor has collected."""

from __future__ import annotations

import os

import pytest

from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.runner.supervisor import local_executor
from jobs.runner.supervisor.local_executor import LocalJobs
from jobs.settings import Settings


def test_codes_are_remembered_for_some_ticks(
    settings: Settings, store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever probes the lock of a killed shim for a moment must not cost the exit code of its worker."""
    now = [100.0]
    monkeypatch.setattr(local_executor.time, "monotonic", lambda: now[0])
    jobs = LocalJobs(settings, store, home)
    child = os.fork()
    if child == 0:
        os._exit(7)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)

    jobs.reap()
    jobs.forget_reaped()
    assert jobs._reaped[child] == 7

    now[0] += local_executor.REMEMBERED_S + 1
    jobs.forget_reaped()
    assert child not in jobs._reaped
