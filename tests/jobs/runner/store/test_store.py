"""What the store guards by itself, whoever writes."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest

from jobs.errors import UserError
from jobs.runner.attempt.outcome import Outcome
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.runner.store.transitions import MAX_FREE_STARTS


def _insert(store: Store, job_id: str, *, resource: str = "cpu", max_tries: int = 3) -> str:
    row = {
        "id": job_id, "kind": "add", "spec_hash": "h", "document": "{}", "resource": resource, "environment": "ml",
        "max_tries": max_tries, "created_at": time.time(),
    }  # fmt: skip
    with store.transaction() as connection:
        store.insert(connection, row, None)
    return job_id


def test_a_terminal_state_is_final(store: Store) -> None:
    """Rule 4 of ``jobs.runner``: a trigger guards the end, and every change has its event."""
    job_id = _insert(store, "a")
    store.claim(job_id, 0)
    store.begin(job_id, 1)
    store.finish(job_id, 1, Outcome("succeeded", result={"total": 1}))

    assert not store.finish(job_id, 1, Outcome("failed", "exit"))
    assert not store.ask_to_cancel(job_id)
    with pytest.raises(sqlite3.IntegrityError, match="terminal"):
        store.connection.execute("UPDATE jobs SET state = 'queued' WHERE id = ?", (job_id,))
    assert store.events(job_id) == [(1, "starting"), (1, "running"), (1, "succeeded")]


def test_a_late_shim_of_an_older_attempt_is_fenced(store: Store) -> None:
    """Rule 3 of ``jobs.runner``: ``attempt`` is the fence, ``tries`` counts real starts."""
    job_id = _insert(store, "a")
    store.claim(job_id, 0)
    store.unclaim(job_id, 1)
    store.claim(job_id, 1)

    assert not store.begin(job_id, 1)
    assert store.begin(job_id, 2)
    row = store.get(job_id)
    assert row is not None
    assert (row.attempt, row.tries) == (2, 1)


def test_a_cancelled_job_does_not_begin(store: Store) -> None:
    job_id = _insert(store, "a")
    store.claim(job_id, 0)
    store.ask_to_cancel(job_id)

    assert not store.begin(job_id, 1)


def test_an_interrupted_job_is_queued_again_while_tries_are_left(store: Store) -> None:
    job_id = _insert(store, "a", max_tries=2)
    states = []
    for attempt in range(2):
        store.claim(job_id, attempt)
        store.begin(job_id, attempt + 1)
        store.finish(job_id, attempt + 1, Outcome("interrupted", "lost", "nothing is left"))
        store.settle_interrupted(job_id)
        row = store.get(job_id)
        assert row is not None
        states.append((row.state, row.reason, row.detail))

    assert states == [("queued", "lost", "nothing is left"), ("failed", "lost", "nothing is left; no tries left")]


def test_a_shim_that_never_comes_up_ends_in_a_failure(store: Store) -> None:
    job_id = _insert(store, "a")
    for attempt in range(MAX_FREE_STARTS):
        assert store.claim(job_id, attempt)
        assert store.unclaim(job_id, attempt + 1)

    row = store.get(job_id)
    assert row is not None
    assert (row.state, row.reason, row.tries) == ("failed", "spawn", 0)


def test_shims_that_did_not_come_up_before_an_attempt_ran_do_not_count(store: Store) -> None:
    job_id = _insert(store, "a")
    for attempt in range(2 * MAX_FREE_STARTS):
        assert store.claim(job_id, attempt)
        if attempt % 5:
            assert store.unclaim(job_id, attempt + 1)
        else:
            assert store.begin(job_id, attempt + 1)
            assert store.finish(job_id, attempt + 1, Outcome("interrupted", "lost", "nothing is left"))
            assert store.settle_interrupted(job_id, is_free=True)

    row = store.get(job_id)
    assert row is not None
    assert (row.state, row.tries) == ("queued", 4)


def test_ten_thousand_waiting_gpu_jobs_do_not_hide_the_cpu_job(store: Store) -> None:
    """Rule 8 of ``jobs.runner``: asked per resource."""
    with store.transaction() as connection:
        connection.executemany(
            "INSERT INTO jobs(id, kind, spec_hash, document, resource, environment, max_tries, created_at) "
            "VALUES(?, 'add', 'h', '{}', 'gpu', 'ml', 1, 0)",
            [(f"gpu-{number}",) for number in range(10_000)],
        )
    _insert(store, "cpu")

    assert [row.id for row in store.next_ready("cpu", 1)] == ["cpu"]
    assert [row.id for row in store.next_ready("gpu", 2)] == ["gpu-0", "gpu-1"]


def test_a_home_of_a_newer_version_is_refused(store: Store, home: Home) -> None:
    store.connection.execute("PRAGMA user_version = 99")

    with pytest.raises(UserError) as refused:
        Store(home).in_state("queued")

    assert refused.value.code == "home_newer"


def test_a_home_that_cannot_be_made_is_told(home: Home) -> None:
    home.path.write_text("a file in the way")

    with pytest.raises(UserError) as refused:
        Store(home).in_state("queued")

    assert refused.value.code == "home_unusable"


def test_a_store_that_was_deleted_is_made_anew_and_not_written_into_the_void(store: Store, home: Home) -> None:
    _insert(store, "a")
    for file in home.path.glob("jobs.db*"):
        file.unlink()

    _insert(store, "b")

    assert [row.id for row in Store(home).in_state("queued")] == ["b"]


def test_threads_share_a_store(store: Store) -> None:
    threads = [threading.Thread(target=_insert, args=(store, f"job-{number}")) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(store.in_state("queued")) == 8
