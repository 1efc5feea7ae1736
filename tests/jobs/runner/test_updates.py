"""Updates while jobs run, and two versions on one home."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner import supervisor_launcher
from jobs.runner.client.runner import Runner
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.runner.store.schema import SCHEMA_VERSION
from jobs.settings import PROJECT_ROOT, Settings

BOUND_S = 60.0
Until = Callable[[Callable[[], object]], object]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project's code, whose supervisor looks for updates often."""
    copy = tmp_path / "project"
    shutil.copytree(PROJECT_ROOT / "jobs", copy / "jobs", ignore=shutil.ignore_patterns("__pycache__"))
    loop = copy / "jobs" / "runner" / "supervisor" / "loop.py"
    assert "LOOK_AT_CODE_S = 30.0" in loop.read_text()
    loop.write_text(loop.read_text().replace("LOOK_AT_CODE_S = 30.0", "LOOK_AT_CODE_S = 0.05"))
    return copy


def start_supervisor(project: Path, settings: Settings) -> None:
    settings.home.mkdir(exist_ok=True)
    with Home(settings.home).supervisor_log.open("ab") as log:
        subprocess.run(
            [sys.executable, "-S", "-m", "jobs.runner.supervisor", str(settings.home)],
            env=settings.to_shared_environment() | {"PYTHONPATH": f"{project}:{os.environ['PYTHONPATH']}"},
            cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True, start_new_session=True,
        )  # fmt: skip


def test_a_supervisor_goes_on_as_the_new_version_and_keeps_its_children(
    settings: Settings, runner: Runner, home: Home, project: Path, pids, tmp_path: Path, until: Until
) -> None:
    from tiny_kinds import ADD, AddParams

    start_supervisor(project, settings)
    journal, gate = tmp_path / "journal", tmp_path / "gate"
    job_id = runner.submit(ADD, AddParams(numbers=[4], journal=str(journal), gate=str(gate))).job.job_id
    until(journal.exists)
    before = pids.supervisor()

    outcome = project / "jobs" / "runner" / "attempt" / "outcome.py"
    outcome.write_text(outcome.read_text() + "\n# a newer version\n")

    def is_new() -> bool:
        supervisor_launcher.wake(home)
        return "going on as the new version" in home.supervisor_log.read_text()

    until(is_new)
    os.kill(pids.shim(home.attempt(job_id, 1)), signal.SIGKILL)  # now only its parent can tell how the worker ends
    gate.touch()
    job = runner.wait(job_id, BOUND_S)

    assert (job.state, job.exit_code, job.attempt) == ("succeeded", 0, 1)
    assert pids.supervisor() == before
    assert journal.read_text().count("start") == 1


def test_an_update_that_cannot_be_imported_is_waited_out(
    settings: Settings, runner: Runner, home: Home, project: Path, pids, until: Until
) -> None:
    from tiny_kinds import ADD, AddParams

    start_supervisor(project, settings)
    before = pids.supervisor()
    until(home.wake.exists)  # by now it knows the code that it runs
    looked = project / "looked"
    broken = project / "jobs" / "runner" / "attempt" / "outcome.py"
    whole = broken.read_text()
    broken.write_text(f"open({str(looked)!r}, 'w').close()\nraise ImportError('half an update')\n")

    def has_looked() -> bool:
        supervisor_launcher.wake(home)
        return looked.exists()

    until(has_looked)
    has_stayed = "going on" not in home.supervisor_log.read_text()
    broken.write_text(whole)

    assert has_stayed
    assert runner.wait(runner.submit(ADD, AddParams(numbers=[1])).job.job_id, BOUND_S).state == "succeeded"
    assert pids.supervisor() == before


def upgrade(home: Home) -> None:
    """What a newer version does to a home that it opens."""
    with sqlite3.connect(home.database) as connection:
        connection.execute("ALTER TABLE jobs ADD COLUMN colour TEXT")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")


def test_an_older_server_goes_on_with_its_jobs_after_a_newer_one_has_upgraded_the_home(
    runner: Runner, home: Home, tmp_path: Path, until: Until
) -> None:
    from tiny_kinds import ADD, AddParams

    journal, gate = tmp_path / "journal", tmp_path / "gate"
    job_id = runner.submit(ADD, AddParams(numbers=[4], journal=str(journal), gate=str(gate))).job.job_id
    until(journal.exists)

    upgrade(home)
    gate.touch()

    assert runner.wait(job_id, BOUND_S).state == "succeeded"
    assert runner.list()[0].job_id == job_id


def test_a_newer_home_is_refused_politely_at_the_shell(settings: Settings, home: Home) -> None:
    with Store(home).transaction():
        pass
    upgrade(home)

    told = subprocess.run(
        [sys.executable, "-m", "server.cli", "jobs", "--json"],
        cwd=PROJECT_ROOT, env={**os.environ, **settings.to_environment()}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert told.returncode == 2
    assert json.loads(told.stdout)["error"]["code"] == "home_newer"
    assert told.stderr == ""
    with pytest.raises(UserError, match="made by a newer version"):
        Runner(settings).list()
