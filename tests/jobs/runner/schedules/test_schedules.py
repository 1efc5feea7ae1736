"""Repeated work: one job a planned time, whoever looks at the clock."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.runner.client.runner import Runner
from jobs.runner.schedules.rule import ScheduleRule
from jobs.runner.schedules.schedules import LATE_S, Schedules
from jobs.runner.store import Store
from jobs.settings import Settings

NOON = datetime(2040, 5, 1, 12, tzinfo=UTC).timestamp()  # far off, so that the supervisor's own clock sees nothing due
HOUR = 3600.0


def hourly(settings: Settings, *, catch_up: bool = True, gate: str = "", begin: float = NOON) -> Schedules:
    """A schedule ``s`` of every hour, first due an hour after ``begin``; its jobs wait for the file ``gate``."""
    from tiny_kinds import ADD, AddParams

    schedules = Schedules(settings)
    params = AddParams(numbers=[1, 2], gate=gate)
    schedules.create(ADD, params, ScheduleRule.parse(every="1h", cron=None), name="s", catch_up=catch_up, now=begin)
    return schedules


def test_every_planned_time_gives_one_job(settings: Settings, runner: Runner) -> None:
    schedules = hourly(settings)

    early = schedules.submit_due(NOON + HOUR - 1)
    first = schedules.submit_due(NOON + HOUR)
    again = schedules.submit_due(NOON + HOUR + 1)
    runner.wait(first[0], 30)
    second = schedules.submit_due(NOON + 2 * HOUR)

    assert early == again == []
    assert len(first) == len(second) == 1
    assert first != second
    assert runner.wait(second[0], 30).state == "succeeded"
    assert schedules.get("s").n_runs == 2


def test_times_missed_while_the_machine_was_off_are_made_up_for_once(settings: Settings) -> None:
    schedules = hourly(settings)

    submitted = schedules.submit_due(NOON + 5 * HOUR + 60)

    assert len(submitted) == 1
    assert schedules.get("s").next_at == NOON + 6 * HOUR


def test_without_catching_up_a_missed_time_is_left_out(settings: Settings) -> None:
    schedules = hourly(settings, catch_up=False)

    submitted = schedules.submit_due(NOON + HOUR + LATE_S + 1)

    assert submitted == []
    assert "was missed" in schedules.get("s").note
    assert schedules.get("s").next_at == NOON + 2 * HOUR


def test_a_time_is_skipped_while_the_last_job_is_not_finished(settings: Settings, tmp_path: Path) -> None:
    schedules = hourly(settings, gate=str(tmp_path / "gate"))
    (first,) = schedules.submit_due(NOON + HOUR)

    skipped = schedules.submit_due(NOON + 2 * HOUR)

    assert skipped == []
    assert f"{first} was not finished" in schedules.get("s").note
    assert schedules.get("s").last_job == first


def test_a_kill_between_the_job_and_the_note_of_it_gives_no_second_job(settings: Settings, runner: Runner) -> None:
    schedules = hourly(settings)
    (first,) = schedules.submit_due(NOON + HOUR)
    connection = Store(schedules._home).connection
    connection.execute("UPDATE schedules SET next_at = ?, last_job = NULL, n_runs = 0", (NOON + HOUR,))

    again = schedules.submit_due(NOON + HOUR + 5)

    assert again == [first]
    assert len(runner.list()) == 1


def test_several_processes_that_look_at_the_clock_make_one_job(settings: Settings, runner: Runner) -> None:
    schedules = hourly(settings)
    code = (
        "from jobs.runner.schedules.schedules import *; "
        f"Schedules(Settings.from_environment()).submit_due({NOON + HOUR})"
    )

    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=settings.to_environment(), cwd=Path.cwd()) for _ in range(4)
    ]

    assert [process.wait(60) for process in processes] == [0] * 4
    assert len(runner.list()) == 1
    assert schedules.get("s").n_runs == 1


def test_a_paused_schedule_does_nothing_and_goes_on_from_where_it_is_resumed(settings: Settings) -> None:
    schedules = hourly(settings)

    schedules.pause("s")
    while_paused = schedules.submit_due(NOON + 3 * HOUR)
    schedules.resume("s", now=NOON + 3 * HOUR + 1)

    assert while_paused == []
    assert schedules.submit_due(NOON + 3 * HOUR + 2) == []
    assert schedules.get("s").next_at == NOON + 4 * HOUR


def test_a_pause_that_spans_no_planned_time_changes_none(settings: Settings) -> None:
    schedules = hourly(settings)

    schedules.pause("s")
    schedules.resume("s", now=NOON + 60)

    assert schedules.get("s").next_at == NOON + HOUR


def test_a_schedule_whose_parameters_do_not_fit_any_more_says_so_and_stays(settings: Settings) -> None:
    schedules = hourly(settings)
    Store(schedules._home).connection.execute("UPDATE schedules SET document = json_set(document, '$.params.gone', 1)")

    submitted = schedules.submit_due(NOON + HOUR)

    assert submitted == []
    assert "do not fit this version" in schedules.get("s").note
    assert schedules.get("s").next_at == NOON + 2 * HOUR


def test_the_supervisor_submits_what_is_due(
    settings: Settings, runner: Runner, until: Callable[[Callable[[], object]], object]
) -> None:
    schedules = hourly(settings, begin=0.0)  # due long ago by any clock

    job_id = str(until(lambda: schedules.get("s").last_job))

    assert runner.wait(job_id, 30).state == "succeeded"
    assert schedules.get("s").n_runs == 1


def test_a_schedule_whose_path_cannot_be_used_stops_no_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedules = hourly(settings)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(40, "Too many levels of symbolic links")

    with monkeypatch.context() as broken:
        broken.setattr(Runner, "submit", refuse)
        assert schedules.submit_due(NOON + HOUR) == []

    assert "Too many levels" in schedules.get("s").note
    assert len(schedules.submit_due(NOON + 2 * HOUR)) == 1
