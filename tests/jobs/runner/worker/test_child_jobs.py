"""A job that starts other jobs: it never stands in their way, and finds them again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jobs.runner.client.runner import Runner
from jobs.runner.paths import Home
from jobs.settings import Settings

BOUND_S = 60.0
Until = Callable[[Callable[[], object]], object]


def test_directors_leave_the_only_slot_to_their_children(settings: Settings, tmp_path: Path) -> None:
    from tiny_kinds import DIRECT, DirectParams

    runner = Runner(replace(settings, cpu_slots=1))
    directors = [runner.submit(DIRECT, DirectParams(n_children=2, seed=seed)).job.job_id for seed in range(3)]

    ended = [runner.wait(job_id, BOUND_S) for job_id in directors]

    assert [job.result["total"] for job in ended if job.result] == [1.0, 3.0, 5.0]


def test_a_director_that_was_killed_goes_on_with_its_children(
    runner: Runner, home: Home, pids, tmp_path: Path, until: Until
) -> None:
    from tiny_kinds import DIRECT, DirectParams

    gate, journal = tmp_path / "gate", tmp_path / "journal"
    params = DirectParams(n_children=2, gate=str(gate), journal=str(journal))
    job_id = runner.submit(DIRECT, params).job.job_id
    until(journal.exists)
    os.kill(pids.worker(home.attempt(job_id, 1)), signal.SIGKILL)
    until(lambda: runner.get(job_id).attempt == 2)
    gate.touch()

    job = runner.wait(job_id, BOUND_S)

    assert (job.state, job.attempt) == ("succeeded", 2)
    assert len(runner.list(kind="add")) == 2
    assert journal.read_text().count("start") == 2


def test_a_director_that_is_cancelled_stops_its_children(runner: Runner, tmp_path: Path, until: Until) -> None:
    from tiny_kinds import DIRECT, DirectParams

    journal = tmp_path / "journal"
    params = DirectParams(n_children=2, gate=str(tmp_path / "never"), journal=str(journal))
    job_id = runner.submit(DIRECT, params).job.job_id
    until(lambda: journal.exists() and journal.read_text().count("start") == 2)

    runner.cancel(job_id)

    assert runner.wait(job_id, BOUND_S).state == "cancelled"
    assert {job.state for job in runner.list(kind="add")} == {"cancelled"}


def test_a_director_sent_to_a_cluster_stays_with_the_store_and_its_children_go(runner: Runner, until: Until) -> None:
    from tiny_kinds import DIRECT, DirectParams

    job_id = runner.submit(DIRECT, DirectParams(n_children=2), backend="slurm").job.job_id
    until(lambda: len(runner.list(kind="add")) == 2)
    director = runner.get(job_id)
    runner.cancel(job_id)

    assert (director.backend, director.started_at is not None) == ("local", True)
    assert {child.backend for child in runner.list(kind="add")} == {"slurm"}
