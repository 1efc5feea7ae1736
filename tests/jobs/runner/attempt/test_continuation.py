"""The same call goes on with what a job has left in its own folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.runner.attempt.continuation import take_over
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from jobs.runner.paths import Home
from jobs.settings import Settings

BOUND_S = 60.0
Until = Callable[[Callable[[], object]], object]


@pytest.fixture
def stopped(runner: Runner, settings: Settings, tmp_path: Path, until: Until) -> Callable[[str], JobRecord]:
    """Start counting to 5, and end it at 3."""
    from tiny_kinds import COUNT, CountParams

    def call(how: str) -> JobRecord:
        stop = tmp_path / "stop"
        stop.write_text(how)
        job_id = runner.submit(COUNT, CountParams(n=5, stop=str(stop)), fingerprint="f").job.job_id
        if how == "cancel":
            kept = Home(settings.home).out(job_id) / "count"
            until(lambda: kept.exists() and kept.read_text() == "3")
            runner.cancel(job_id)
        ended = runner.wait(job_id, BOUND_S)
        stop.unlink()
        return ended

    return call


@pytest.mark.parametrize(("how", "state"), [("cancel", "cancelled"), ("fail", "failed")])
def test_the_same_call_goes_on_where_a_job_was_stopped(
    runner: Runner, stopped: Callable[[str], JobRecord], how: str, state: str
) -> None:
    from tiny_kinds import COUNT, CountParams

    first = stopped(how)
    params = CountParams.model_validate(first.params)
    second = runner.wait(runner.submit(COUNT, params, fingerprint="f").job.job_id, BOUND_S)

    assert first.state == state
    assert second.result == {"first": 3, "last": 5}
    assert second.job_id != first.job_id
    assert not (Path(first.folder) / "out").exists()
    assert runner.lineage(second.job_id).from_jobs == [first.job_id]


def test_another_call_and_one_that_asks_for_a_new_job_begin_anew(
    runner: Runner, stopped: Callable[[str], JobRecord]
) -> None:
    from tiny_kinds import COUNT, CountParams

    params = CountParams.model_validate(stopped("cancel").params)
    other = runner.submit(COUNT, params, fingerprint="g").job.job_id
    anew = runner.submit(COUNT, params, fingerprint="f", reuse=False).job.job_id

    assert [runner.wait(job_id, BOUND_S).result for job_id in (other, anew)] == [{"first": 0, "last": 5}] * 2


@pytest.mark.parametrize("hinders", ["nothing", "it runs", "own", "gone", "no id"])
def test_what_may_still_be_written_is_not_moved(tmp_path: Path, hinders: str) -> None:
    home, former, new = Home(tmp_path), "count-20260101-000000-0001", "count-20260101-000000-0002"
    home.attempt(former, 2).path.mkdir(parents=True)
    home.attempt(former, 1).path.mkdir()
    home.attempt(new, 1).path.mkdir(parents=True)
    home.attempt(former, 1).exit.write_text(json.dumps({"code": 0}))
    if hinders != "it runs":
        home.attempt(former, 2).exit.write_text(json.dumps({"code": 0}))
    if hinders != "gone":
        home.out(former).mkdir()
    if hinders == "own":
        home.out(new).mkdir()

    moved = take_over(home.attempt(new, 1), "../jobs" if hinders == "no id" else former)

    assert moved is (hinders == "nothing")
    assert home.out(former).exists() is (hinders not in ("nothing", "gone"))
