"""Jobs through a real Slurm: one node of this machine with a fake GPU, killed, cancelled and cut off by its limit."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.files.records import read_record
from jobs.runner.client.runner import Runner
from jobs.runner.machine import processes
from jobs.runner.models import JobRecord
from jobs.runner.paths import AttemptFolder, Home
from jobs.settings import PROJECT_ROOT, Settings, SlurmSettings

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from one_node import OneNode, why_not  # noqa: E402

WAIT_S = 90.0
Until = Callable[[Callable[[], object]], object]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneNode]:
    """Slurm, for all tests of this module."""
    if reason := why_not():
        pytest.skip(f"no Slurm here: {reason}")
    node = OneNode(tmp_path_factory.mktemp("slurm"))
    try:
        node.start()
        yield node
    finally:
        node.stop()
        assert node.processes() == []


@pytest.fixture
def on_slurm(node: OneNode, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a home whose jobs go to Slurm."""
    monkeypatch.setenv("SLURM_CONF", str(node.conf))
    monkeypatch.setenv("PYTHONPATH", f"{PROJECT_ROOT}:{HERE.parent}:{HERE}")
    monkeypatch.syspath_prepend(HERE)
    # the store stays on the local disk, the jobs' folders are on what the nodes see, too
    shared = tmp_path / "shared disk" / "jobs"
    shared.mkdir(parents=True)
    settings.home.mkdir()
    (settings.home / "jobs").symlink_to(shared)
    slurm = SlurmSettings(partition="main", time="00:10:00", mem="200M")
    return replace(settings, backend="slurm", slurm=slurm, cancel_grace_s=3)


def _add(runner: Runner, kind: str = "ADD", after: tuple[str, ...] = (), **params: Any) -> str:
    import tiny_kinds

    asked = tiny_kinds.AddParams(**params)
    return runner.submit(getattr(tiny_kinds, kind), asked, after=after).job.job_id


def _first(settings: Settings, job_id: str) -> AttemptFolder:
    return Home(settings.home).attempt(job_id, 1)


def _finished(runner: Runner, node: OneNode, job_id: str) -> JobRecord:
    job = runner.wait(job_id, WAIT_S)
    assert job.is_finished, f"{job}\n{node.ask('squeue', '--states=all')}\n{node.logs()}"
    return job


def test_a_pipeline_of_jobs_runs_through_slurm_in_its_order(on_slurm: Settings, node: OneNode, tmp_path: Path) -> None:
    runner = Runner(on_slurm)
    journal = str(tmp_path / "journal")

    first = _add(runner, numbers=[1, 2], journal=journal)
    second = _add(runner, "ADD_ON_GPU", after=(first,), numbers=[3, 4], journal=journal)

    assert _finished(runner, node, second).state == "succeeded"
    assert _finished(runner, node, first).result is not None
    assert [line.split()[0] for line in Path(journal).read_text().splitlines()] == ["start", "end"] * 2
    assert runner.resolve(f"artifact://{second}/sum").read_text() == "7.0\n"
    listed = node.ask("squeue", "--states=all", "--noheader", "--format=%j %b")
    assert f"tts:{second}:1 gres:gpu:1" in listed
    assert f"tts:{first}:1 N/A" in listed
    assert str(tmp_path / "shared disk") in (_first(on_slurm, first).path / "slurm.sh").read_text()


def test_a_controller_that_is_killed_just_after_it_took_a_job_loses_nothing(
    on_slurm: Settings, node: OneNode, tmp_path: Path, until: Until
) -> None:
    runner = Runner(on_slurm)
    job_id = _add(runner, numbers=[5], journal=str(tmp_path / "journal"))
    until(lambda: (read_record(_first(on_slurm, job_id).path / "slurm.json") or {}).get("slurm_id"))

    node.kill("slurmctld")
    while_it_is_away = runner.wait(job_id, 3)
    node.start_controller()

    assert while_it_is_away.state != "failed"
    job = _finished(runner, node, job_id)
    assert (job.state, job.tries) == ("succeeded", 1), job
    assert (tmp_path / "journal").read_text().count("start") == 1


def test_work_that_ends_while_slurmd_is_dead_keeps_its_exact_end(
    on_slurm: Settings, node: OneNode, tmp_path: Path, until: Until
) -> None:
    runner = Runner(on_slurm)
    gate = tmp_path / "gate"
    job_id = _add(runner, "ADD_ON_GPU", numbers=[6], gate=str(gate))
    until(lambda: runner.get(job_id).state == "running")

    node.kill("slurmd")
    gate.write_text("")
    job = _finished(runner, node, job_id)
    node.start_node()

    assert (job.state, job.exit_code, job.tries) == ("succeeded", 0, 1)


def test_a_cancel_leaves_neither_a_job_in_slurm_nor_an_escaped_child(
    on_slurm: Settings, node: OneNode, tmp_path: Path, until: Until
) -> None:
    runner = Runner(on_slurm)
    journal = tmp_path / "journal"
    never = str(tmp_path / "never")
    running = _add(
        runner, "ADD_ON_GPU", numbers=[1], gate=never, leaves_child=True, ignores_cancel=True, journal=str(journal)
    )
    until(lambda: runner.get(running).state == "running" and journal.exists() and "child" in journal.read_text())
    waiting = _add(runner, "ADD_ON_GPU", numbers=[2], gate=never)
    until(lambda: "waits in Slurm's queue" in runner.get(waiting).detail)

    runner.cancel(waiting)
    runner.cancel(running)

    assert _finished(runner, node, waiting).detail == "cancelled before it started"
    assert _finished(runner, node, running).state == "cancelled"
    left = [int(line.split()[1]) for line in journal.read_text().splitlines()]
    assert [processes.start_time(pid) for pid in left] == [None] * len(left)
    until(lambda: not node.ask("squeue", "--noheader", f"--name=tts:{running}:1,tts:{waiting}:1"))


def test_work_at_its_time_limit_stops_at_a_safe_point_and_goes_on_in_the_next_attempt(
    on_slurm: Settings, node: OneNode, tmp_path: Path
) -> None:
    import slurm_kinds

    limited = replace(on_slurm, slurm=replace(on_slurm.slurm, time="00:01:00", stop_s=30))
    runner = Runner(limited)

    job_id = runner.submit(slurm_kinds.COUNT, slurm_kinds.CountParams(gate=str(tmp_path / "never"))).job.job_id

    job = _finished(runner, node, job_id)
    assert (job.state, job.attempt) == ("succeeded", 2), job
    assert job.result == {"n_attempts": 2, "gpus": "0"}
    assert read_record(_first(limited, job_id).exit) is not None
    assert job.max_tries - job.tries == 2  # the limit has cost none of the three, as the work got further


def test_torchrun_joins_two_tasks_of_one_allocation_that_stop_together(
    on_slurm: Settings, node: OneNode, tmp_path: Path, until: Until
) -> None:
    pytest.importorskip("torch", reason="torchrun is in the ml environment: ./run.sh setup ml")
    import slurm_kinds

    # what is asked for as two nodes is laid out on the one that there is
    one_node = ("--nodes=1", "--ntasks=2", "--ntasks-per-node=2", "--mem=2G")
    several = replace(on_slurm, slurm=replace(on_slurm.slurm, nodes=2, extra=one_node), cancel_grace_s=30)
    runner = Runner(several)
    gate = tmp_path / "gate"

    params = slurm_kinds.TogetherParams(n_processes=2, gate=str(gate))
    job_id = runner.submit(slurm_kinds.TOGETHER, params).job.job_id
    until(lambda: (progress := runner.progress(job_id)) is not None and progress.done > 1)
    node.ask("scancel", "--signal=TERM", "--batch", f"--name=tts:{job_id}:1")  # as before a time limit
    until(lambda: _first(several, job_id).exit.exists())
    gate.write_text("")

    job = _finished(runner, node, job_id)
    log = _first(several, job_id).log.read_text()
    assert log.count("stopped at a safe point, as asked") == 2, log
    assert (job.attempt, job.result) == (2, {"world_size": 2, "sum_of_ranks": 1}), job
    assert [path.name for path in _first(several, job_id).path.glob("rank-*")] == ["rank-1"]


def test_a_job_that_slurm_does_not_want_fails_with_slurms_words(on_slurm: Settings, node: OneNode) -> None:
    runner = Runner(replace(on_slurm, slurm=replace(on_slurm.slurm, partition="nowhere")))

    job = _finished(runner, node, _add(runner, numbers=[1]))

    assert (job.state, job.reason) == ("failed", "spawn")
    assert "invalid partition specified: nowhere" in job.detail
