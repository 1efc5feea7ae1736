"""When an interrupted job is tried again."""

from __future__ import annotations

import json

import pytest

from jobs.runner.attempt.outcome import Outcome
from jobs.runner.paths import Home
from jobs.runner.store import JobRow, Store
from jobs.runner.supervisor import retries

JOB = "add-20261122-131144-7f3a"
KILLED = Outcome("interrupted", "signal", "killed by an external SIGKILL", -9)
LOST = Outcome("interrupted", "lost", "no process of this attempt is left")


@pytest.fixture
def job(store: Store) -> str:
    """A queued job with five tries."""
    row = {
        "id": JOB, "kind": "add", "spec_hash": "h", "document": "{}", "resource": "cpu", "environment": "ml",
        "max_tries": 5, "created_at": 0.0,
    }  # fmt: skip
    with store.transaction() as connection:
        store.insert(connection, row, None)
    return JOB


def _interrupt(store: Store, home: Home, end: Outcome, done: float | None) -> JobRow:
    """Let the next attempt come as far as ``done`` and end, and settle it."""
    row = store.get(JOB)
    assert row is not None
    store.claim(JOB, row.attempt)
    store.begin(JOB, row.attempt + 1)
    folder = home.attempt(JOB, row.attempt + 1)
    folder.path.mkdir(parents=True)
    if done is not None:
        line = json.dumps({"at": 0, "done": done, "message": ""})
        folder.progress.write_text(f'{line}\n{{"at": 0, "do')  # the last line was torn by the kill
    store.finish(JOB, row.attempt + 1, end)
    interrupted = store.get(JOB)
    assert interrupted is not None
    retries.settle(store, home, interrupted)
    settled = store.get(JOB)
    assert settled is not None
    return settled


def test_the_same_end_twice_without_progress_is_final_and_says_why(job: str, store: Store, home: Home) -> None:
    states = [_interrupt(store, home, KILLED, done=7).state for _ in range(2)]

    assert states == ["queued", "failed"]
    row = store.get(job)
    assert row is not None
    assert (row.reason, row.tries) == ("signal", 2)
    assert row.detail == (
        "killed by an external SIGKILL; two attempts failed identically with no progress; not retrying"
    )


@pytest.mark.parametrize("end", [KILLED, LOST, Outcome("interrupted", "signal", "stopped by SIGTERM", 75)])
def test_attempts_that_get_further_cost_no_try_however_they_end(
    job: str, store: Store, home: Home, end: Outcome
) -> None:
    rows = [_interrupt(store, home, end, done) for done in range(1, 13)]

    assert {row.state for row in rows} == {"queued"}
    assert {row.max_tries - row.tries for row in rows} == {5}
    assert rows[-1].tries == 12


def test_an_attempt_gets_further_only_past_all_before_it(job: str, store: Store, home: Home) -> None:
    rows = [_interrupt(store, home, LOST, done) for done in (9, 3, 5, 9, 4, 8)]

    assert [row.max_tries - row.tries for row in rows] == [5, 4, 3, 2, 1, 0]
    assert [row.state for row in rows] == ["queued"] * 5 + ["failed"]


def test_pauses_grow_with_the_attempts_since_the_last_progress() -> None:
    assert [retries.count_idle(done) for done in ([], [0], [1], [2, 2], [2, 2, 1], [2, 1, 3], [2, 1, 3, 0])] == [
        0, 1, 0, 1, 2, 0, 1,
    ]  # fmt: skip


def test_another_end_is_another_failure(job: str, store: Store, home: Home) -> None:
    other = Outcome("interrupted", "signal", "terminated by an external SIGTERM", 75)
    states = [_interrupt(store, home, end, None).state for end in (KILLED, other, KILLED)]

    assert states == ["queued"] * 3


def test_reboots_are_no_doing_of_the_job(job: str, store: Store, home: Home) -> None:
    states = [_interrupt(store, home, LOST, None).state for _ in range(5)]

    assert states == ["queued"] * 4 + ["failed"]


def test_the_first_retry_is_at_once_and_the_pause_then_doubles_up_to_five_minutes() -> None:
    assert [retries.back_off_s(n_idle) for n_idle in (0, 1, 2, 3, 4, 100)] == [0, 0, 10, 20, 40, 300]


def test_a_pause_is_kept(job: str, store: Store, home: Home) -> None:
    _interrupt(store, home, LOST, done=0)
    assert [row.id for row in store.next_ready("cpu", 1)] == [job]

    _interrupt(store, home, LOST, done=0)
    assert store.next_ready("cpu", 1) == []
    assert store.next_due() is not None
