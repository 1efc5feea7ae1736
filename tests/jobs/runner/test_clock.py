"""The wall clock may be set by hours, forth or back: nothing is lost, doubled, killed or kept waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.runner.client.runner import Runner
from jobs.runner.schedules.rule import ScheduleRule
from jobs.runner.schedules.schedules import Schedules
from jobs.runner.store import Store
from jobs.settings import Settings
from tools.core.job_view import view_job

BOUND_S = 60.0
DAY_S = 86_400.0
Until = Callable[[Callable[[], object]], object]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set this process's wall clock off by some seconds; the other processes keep the true one."""
    true_time = time.time

    def off_by(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: true_time() + seconds)

    return off_by


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_a_job_from_before_the_jump_runs_once_and_its_times_stay_sane(
    jump_s: float, runner: Runner, set_clock: Callable[[float], None], tmp_path: Path
) -> None:
    from tiny_kinds import ADD, AddParams

    journal = tmp_path / "journal"
    set_clock(-jump_s)  # it was submitted by another clock
    job_id = runner.submit(ADD, AddParams(numbers=[1, 2], journal=str(journal))).job.job_id
    set_clock(0.0)

    job = runner.wait(job_id, BOUND_S)
    set_clock(-2 * DAY_S)  # it is read by a third
    shown = view_job(runner.get(job_id), runner)

    assert (job.state, job.attempt) == ("succeeded", 1)
    assert journal.read_text().count("start") == 1
    assert shown.elapsed_s >= 0
    assert shown.eta_s is None


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_a_run_limit_does_not_go_by_the_wall_clock(
    jump_s: float, runner: Runner, store: Store, tmp_path: Path, until: Until
) -> None:
    from tiny_kinds import ADD, AddParams

    journal, gate = tmp_path / "journal", tmp_path / "gate"
    job_id = runner.submit(ADD, AddParams(journal=str(journal), gate=str(gate)), max_run_s=600).job.job_id
    until(journal.exists)

    store.connection.execute("UPDATE jobs SET started_at = started_at - ? WHERE id = ?", (jump_s, job_id))
    gate.touch()

    assert runner.wait(job_id, BOUND_S).state == "succeeded"


def test_a_clock_set_forth_makes_up_for_missed_times_once_and_set_back_repeats_none(settings: Settings) -> None:
    from tiny_kinds import ADD, AddParams

    schedules, runner, begin = Schedules(settings), Runner(settings), 4_000_000_000.0
    schedules.create(ADD, AddParams(), ScheduleRule(every_s=3600), now=begin)

    def submitted(now: float) -> int:
        schedules.submit_due(now=now)
        jobs = runner.list(limit=50)
        for job in jobs:
            runner.wait(job.job_id, BOUND_S)
        return len(jobs)

    assert submitted(begin + 3600) == 1
    assert submitted(begin + 3600 + 5 * DAY_S) == 2  # 120 times were missed
    assert submitted(begin + 7200) == 2  # set back: those times have been
    assert submitted(begin + 3600 + 5 * DAY_S + 3601) == 3
