"""Jobs that wait for others: in order, all or nothing, and failing together."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.client.runner import Runner
from jobs.runner.store import Store

BOUND_S = 60.0


def test_a_pipeline_submitted_at_once_runs_in_its_order(runner: Runner, store: Store, tmp_path: Path) -> None:
    from tiny_kinds import ADD, AddParams

    journal = str(tmp_path / "journal")
    with runner.together():
        first = runner.submit(ADD, AddParams(numbers=[1], journal=journal)).job.job_id
        second = runner.submit(ADD, AddParams(numbers=[2], journal=journal), after=[first]).job
        third = runner.submit(ADD, AddParams(numbers=[3], journal=journal), after=[first, second.job_id]).job

    assert runner.wait(third.job_id, BOUND_S).state == "succeeded"
    words = [line.split()[0] for line in (tmp_path / "journal").read_text().splitlines()]
    assert words == ["start", "end"] * 3
    assert store.unmet_needs([second.job_id, third.job_id]) == []


def test_a_failure_is_passed_on_to_the_end_of_the_chain_with_its_reason(runner: Runner) -> None:
    from tiny_kinds import ADD, FAIL, AddParams, FailParams

    with runner.together():
        first = runner.submit(FAIL, FailParams(how="user_error")).job.job_id
        second = runner.submit(ADD, AddParams(), after=[first]).job.job_id
        third = runner.submit(ADD, AddParams(), after=[second]).job.job_id
        beside = runner.submit(ADD, AddParams(numbers=[1])).job.job_id

    last = runner.wait(third, BOUND_S)
    assert (last.state, last.reason, last.attempt) == ("cancelled", "dependency", 0)
    assert last.detail == f"needs {first}, which failed (exit): voice_silent: The recording has no voice."
    assert runner.get(second).detail == last.detail
    assert runner.wait(beside, BOUND_S).state == "succeeded"


def test_a_cancel_is_passed_on(runner: Runner, tmp_path: Path) -> None:
    from tiny_kinds import ADD, AddParams

    first = runner.submit(ADD, AddParams(gate=str(tmp_path / "never")), not_before=9e9).job.job_id
    second = runner.submit(ADD, AddParams(), after=[first]).job.job_id

    runner.cancel(first)

    waiting = runner.get(second)
    assert (waiting.state, waiting.reason) == ("cancelled", "dependency")
    assert waiting.detail == f"needs {first}, which was cancelled: cancelled before it started"


def test_a_job_that_waits_for_another_says_so(runner: Runner, tmp_path: Path) -> None:
    from tiny_kinds import ADD, AddParams

    first = runner.submit(ADD, AddParams(), not_before=4102444800.0).job
    second = runner.submit(ADD, AddParams(), after=[first.job_id]).job

    assert first.detail == "waits until 2100-01-01 00:00:00 UTC"
    assert second.detail == f"waits for {first.job_id} (queued)"


def test_of_jobs_submitted_together_none_is_taken_when_one_is_refused(runner: Runner) -> None:
    from tiny_kinds import ADD, AddParams

    def submit_both() -> None:
        with runner.together():
            runner.submit(ADD, AddParams(numbers=[1]))
            runner.submit(ADD, AddParams(numbers=[2]), after=["add-20260101-000000-0000"])

    with pytest.raises(UserError) as refused:
        submit_both()

    assert refused.value.code == "job_unknown"
    assert runner.list() == []


def test_waiting_for_a_failed_job_is_refused(runner: Runner) -> None:
    from tiny_kinds import ADD, FAIL, AddParams, FailParams

    failed = runner.submit(FAIL, FailParams(how="defect")).job.job_id
    runner.wait(failed, BOUND_S)

    with pytest.raises(UserError) as refused:
        runner.submit(ADD, AddParams(), after=[failed])

    assert refused.value.code == "dependency_failed"
    assert failed in refused.value.message


def test_a_failure_reaches_the_end_of_a_long_chain_at_once(store: Store) -> None:
    with store.transaction() as connection:
        for number in range(300):
            row = {
                "id": f"job-{number}", "kind": "add", "spec_hash": "h", "document": "{}", "resource": "cpu",
                "environment": "ml", "max_tries": 1, "created_at": 0.0,
            }  # fmt: skip
            store.insert(connection, row, None, [f"job-{number - 1}"] if number else [])
    store.ask_to_cancel("job-0")

    store.cancel_waiting("job-0")

    assert store.in_state("queued") == []
    last = store.get("job-299")
    assert last is not None
    assert last.detail == "needs job-0, which was cancelled: cancelled before it started"
