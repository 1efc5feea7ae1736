"""Attempts whose shim has ended: what their files say is checked before a process is signalled."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from jobs.files import records
from jobs.runner.machine import locks, processes
from jobs.runner.paths import Home
from jobs.runner.store import JobRow, Store
from jobs.runner.supervisor.lost_attempts import LostAttempts
from jobs.settings import Settings

JOB = "add-20261122-131144-7f3a"


NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc (Linux)")
MARK = f"{JOB}/1"


def insert(store: Store, home: Home, **changes: object) -> JobRow:
    """A running attempt without a shim."""
    row = {"id": JOB, "kind": "add", "spec_hash": "", "document": "{}", "resource": "cpu", "environment": "ml",
           "max_tries": 2, "created_at": 1.0, "state": "running", "attempt": 1, "cancel": 0, **changes}  # fmt: skip
    with store.transaction() as connection:
        store.insert(connection, row, None)
    home.attempt(JOB, 1).path.mkdir(parents=True)
    found = store.get(JOB)
    assert found is not None
    return found


def cat(lock: int | None = None, **environment: str) -> subprocess.Popen[bytes]:
    """A process that lives until its input ends; it holds a lock as a worker's tree does."""
    return subprocess.Popen(
        ["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, env=environment,
        pass_fds=[] if lock is None else [lock],
    )  # fmt: skip


@NEEDS_PROC
def test_a_worker_whose_shim_was_killed_before_it_wrote_the_record_is_found_and_its_code_counts(
    settings: Settings, store: Store, home: Home
) -> None:
    row = insert(store, home)
    folder = home.attempt(JOB, 1)
    assert row.mark == MARK
    lock = locks.take(folder.tree_lock, wait=True)
    assert lock is not None
    lost = LostAttempts(settings, store)
    with cat(lock, PATH=os.environ["PATH"], **{processes.MARK: MARK}) as worker:
        os.close(lock)
        lost.settle(row, folder, {})
        start = records.read_record(folder.start)
        worker.communicate()

    assert start is not None
    assert start["pid"] == worker.pid
    assert (running := store.get(JOB)) is not None
    assert running.state == "running"

    lost.settle(row, folder, {worker.pid: 7})

    assert (ended := store.get(JOB)) is not None
    assert (ended.state, ended.exit_code) == ("failed", 7)


@NEEDS_PROC
def test_such_a_worker_is_stopped_by_a_cancel(settings: Settings, store: Store, home: Home) -> None:
    row = insert(store, home, cancel=1)
    folder = home.attempt(JOB, 1)
    lock = locks.take(folder.tree_lock, wait=True)
    assert lock is not None
    with cat(lock, PATH=os.environ["PATH"], **{processes.MARK: MARK}) as worker:
        os.close(lock)
        LostAttempts(settings, store).settle(row, folder, {})

        assert worker.wait(10) == -signal.SIGTERM


@NEEDS_PROC
def test_a_process_whose_environment_is_not_there_yet_is_neither_stopped_nor_given_up(
    settings: Settings, store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "EXEC_WAIT_S", 0.01)
    row = insert(store, home, cancel=1)
    folder = home.attempt(JOB, 1)
    with cat() as bare:
        records.write_record(folder.start, {"pid": bare.pid, "start_time": processes.start_time(bare.pid), "shim": 1})

        LostAttempts(settings, store).settle(row, folder, {bare.pid: 0})

        assert bare.communicate(b"still here")[0] == b"still here"
    assert (found := store.get(JOB)) is not None
    assert found.state == "running"


@NEEDS_PROC
def test_the_code_of_another_process_with_the_same_pid_does_not_count(
    settings: Settings, store: Store, home: Home
) -> None:
    """Codes are remembered for a while, and the kernel may give a pid again."""
    row = insert(store, home)
    folder = home.attempt(JOB, 1)
    with cat(PATH=os.environ["PATH"], **{processes.MARK: MARK}) as worker:
        start = {"pid": worker.pid, "start_time": processes.start_time(worker.pid), "shim": 1}
        records.write_record(folder.start, start)

        LostAttempts(settings, store).settle(row, folder, {worker.pid: 7})

        worker.communicate()
    assert (found := store.get(JOB)) is not None
    assert found.state == "running"


@NEEDS_PROC
def test_a_record_that_names_another_process_stops_nothing(settings: Settings, store: Store, home: Home) -> None:
    running = insert(store, home, cancel=1)
    folder = home.attempt(JOB, 1)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as other:
        started = processes.start_time(other.pid)
        records.write_record(folder.start, {"pid": other.pid, "start_time": started, "shim": 1})
        LostAttempts(settings, store).settle(running, folder, {})
        said = other.communicate(b"still here")[0]

    settled = store.get(JOB)
    assert said == b"still here"
    assert settled is not None
    assert settled.state == "cancelled"
