"""Collection frees the disk and nothing that anybody still needs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.client import garbage_collection
from jobs.runner.client.runner import Runner
from jobs.runner.paths import Home
from jobs.runner.schedules.rule import ScheduleRule
from jobs.runner.schedules.schedules import Schedules
from jobs.runner.store import Store
from jobs.settings import PROJECT_ROOT, Settings

DAY_S = 86400.0
A_YEAR_S = 365 * DAY_S


@pytest.fixture
def finished(runner: Runner, store: Store) -> Callable[..., str]:
    """Run a job to its end, and say that it ended some days ago."""
    from tiny_kinds import ADD, AddParams

    def make(days_ago: float, **params: object) -> str:
        job = runner.wait(runner.submit(ADD, AddParams.model_validate(params), reuse=False).job.job_id, 60)
        assert job.state == "succeeded"
        assert job.ended_at is not None
        store.connection.execute(
            "UPDATE jobs SET ended_at = ? WHERE id = ?", (job.ended_at - days_ago * DAY_S, job.job_id)
        )
        return job.job_id

    return make


def test_only_what_is_older_goes_and_the_job_stays_known(
    runner: Runner, home: Home, finished: Callable[..., str]
) -> None:
    old, young = finished(31), finished(29)
    size = garbage_collection.size_on_disk(home.job(old))

    taken = runner.collect(older_than_s=30 * DAY_S)

    assert [item.job_id for item in taken.taken] == [old]
    assert taken.taken_bytes == size > 0
    assert not (home.job(old) / "out").exists()
    assert json.loads(home.job_file(old).read_text())["kind"] == "add"
    assert [artifact.name for artifact in runner.artifacts(old)] == ["sum", "out"]
    assert runner.get(old).is_collected
    assert runner.get(old).state == "succeeded"
    assert runner.resolve(f"artifact://{young}/sum").exists()
    with pytest.raises(UserError) as refused:
        runner.resolve(f"artifact://{old}/sum")
    assert refused.value.code == "artifact_collected"


def test_a_look_changes_nothing(runner: Runner, finished: Callable[..., str]) -> None:
    old = finished(31)

    assert [item.job_id for item in runner.collectable(older_than_s=DAY_S).taken] == [old]
    assert runner.resolve(f"artifact://{old}/sum").exists()


def test_the_oldest_go_until_the_rest_fits(runner: Runner, home: Home, finished: Callable[..., str]) -> None:
    jobs = [finished(days) for days in (3, 2, 1)]
    sizes = [garbage_collection.size_on_disk(home.job(job)) for job in jobs]

    taken = runner.collect(max_bytes=sizes[2] + sizes[1])

    assert [item.job_id for item in taken.taken] == jobs[:1]
    assert taken.kept_bytes == sizes[1] + sizes[2]


def test_a_job_whose_files_another_reads_stays_as_long_as_the_other(
    runner: Runner, store: Store, home: Home, finished: Callable[..., str]
) -> None:
    first = finished(90)
    second = finished(60, journal=str(home.job(first) / "out" / "journal"))
    third = finished(1, journal=str(home.job(second) / "out" / "journal"))

    assert runner.collect(older_than_s=30 * DAY_S).n_referenced == 2

    store.connection.execute("UPDATE jobs SET ended_at = ended_at - ? WHERE id = ?", (A_YEAR_S, third))
    assert {item.job_id for item in runner.collect(older_than_s=30 * DAY_S).taken} == {first, second, third}


def test_what_a_waiting_job_or_a_schedule_will_read_stays(
    runner: Runner, settings: Settings, home: Home, finished: Callable[..., str]
) -> None:
    from tiny_kinds import ADD, AddParams

    awaited, planned, idle = finished(90), finished(90), finished(90)
    waiting = runner.submit(ADD, AddParams(), after=[awaited], not_before=4e9).job.job_id
    reads = AddParams(journal=str(home.job(planned) / "out" / "journal"))
    Schedules(settings).create(ADD, reads, ScheduleRule(every_s=A_YEAR_S))

    assert [item.job_id for item in runner.collect(older_than_s=DAY_S).taken] == [idle]
    runner.cancel(waiting)


def test_the_jobs_of_a_search_stay_as_long_as_it_goes_on(
    runner: Runner, store: Store, finished: Callable[..., str]
) -> None:
    from tiny_kinds import ADD, AddParams

    parent = runner.submit(ADD, AddParams(), not_before=4e9).job.job_id
    child = finished(31)
    with store.transaction() as connection:
        store.remember_key(connection, f"child:{parent}:trial-0", child, "")

    assert runner.collectable(older_than_s=DAY_S).taken == []
    assert runner.collectable(older_than_s=DAY_S).n_referenced == 1
    runner.cancel(parent)
    assert [item.job_id for item in runner.collectable(older_than_s=DAY_S).taken] == [child]


def test_a_collected_job_is_not_reused(runner: Runner, finished: Callable[..., str]) -> None:
    from tiny_kinds import ADD, AddParams

    first = runner.wait(runner.submit(ADD, AddParams(), fingerprint="same").job.job_id, 60)
    assert not runner.submit(ADD, AddParams(), fingerprint="same").created

    runner.collect(older_than_s=-1)

    again = runner.submit(ADD, AddParams(), fingerprint="same")
    assert again.created
    assert again.job.job_id != first.job_id


def test_takes_that_a_person_has_rated_stay_with_what_was_said(
    runner: Runner, home: Home, finished: Callable[..., str]
) -> None:
    old = finished(90)
    takes = home.job(old) / "out" / "takes"
    takes.mkdir()
    for name in ("human_ratings.jsonl", "takes.jsonl", "001.wav"):
        (takes / name).write_text(name)
    (home.job(old) / "out" / "cache.bin").write_bytes(b"\0" * 9000)

    runner.collect(older_than_s=DAY_S)

    assert sorted(path.name for path in takes.iterdir()) == ["001.wav", "human_ratings.jsonl", "takes.jsonl"]
    assert not (home.job(old) / "out" / "cache.bin").exists()


def test_files_outside_the_home_and_behind_links_are_not_touched(
    runner: Runner, home: Home, tmp_path: Path, finished: Callable[..., str]
) -> None:
    outside = tmp_path / "mine"
    outside.mkdir()
    (outside / "book.wav").write_bytes(b"mine")
    old = finished(90)
    (home.job(old) / "out" / "link").symlink_to(outside)
    (home.job(old) / "out" / "artifacts.jsonl").write_text("no record of the runner's")

    runner.collect(older_than_s=DAY_S)

    assert (outside / "book.wav").read_bytes() == b"mine"
    assert not (home.job(old) / "out").exists()


def test_a_collection_that_was_killed_is_finished_by_the_next(
    runner: Runner, settings: Settings, home: Home, finished: Callable[..., str]
) -> None:
    old = finished(90)
    program = (
        "import os, signal, sys; from pathlib import Path; from jobs.runner.client import garbage_collection\n"
        "from jobs.runner.paths import Home; from jobs.runner.store import Store\n"
        "garbage_collection._empty = lambda folder: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"home = Home(Path({str(settings.home)!r}))\n"
        "garbage_collection.collect(Store(home), home, older_than_s=1.0, max_bytes=None)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, env=os.environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (home.job(old) / "out" / "sum.txt").exists()
    assert runner.get(old).is_collected

    assert runner.collect(older_than_s=A_YEAR_S).taken == []

    assert not (home.job(old) / "out").exists()
