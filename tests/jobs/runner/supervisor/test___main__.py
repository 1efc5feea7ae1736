"""Scheduling, cancelling, and what follows when any of the runner's processes is killed with -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.runner import supervisor_launcher
from jobs.runner.client.runner import Runner
from jobs.runner.machine import locks, processes
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import Settings

BOUND_S = 60.0
Until = Callable[[Callable[[], object]], object]


def _lines(journal: Path, word: str) -> list[int]:
    """Pids that a journal names after a word."""
    text = journal.read_text() if journal.exists() else ""
    return [int(line.split()[1]) for line in text.splitlines() if line.startswith(word)]


def test_one_gpu_job_runs_at_a_time_beside_the_cpu_jobs(runner: Runner, tmp_path: Path, until: Until) -> None:
    from tiny_kinds import ADD, ADD_ON_GPU, AddParams

    gate = tmp_path / "gate"
    first, second = (
        runner.submit(ADD_ON_GPU, AddParams(numbers=[n], gate=str(gate), journal=str(tmp_path / f"journal-{n}"))).job
        for n in (1, 2)
    )
    until(lambda: _lines(tmp_path / "journal-1", "start"))
    beside = runner.submit(ADD, AddParams(numbers=[3])).job

    assert runner.wait(beside.job_id, BOUND_S).state == "succeeded"
    waiting = runner.get(second.job_id)
    assert waiting.state == "queued"
    assert waiting.detail == f"waits for the gpu, which {first.job_id} uses"

    gate.touch()
    assert runner.wait(second.job_id, BOUND_S).state == "succeeded"
    ended = runner.get(first.job_id).ended_at
    started = runner.get(second.job_id).started_at
    assert ended is not None
    assert started is not None
    assert ended <= started


def test_a_running_job_is_cancelled_with_the_child_that_left_its_group(
    runner: Runner, tmp_path: Path, until: Until
) -> None:
    from tiny_kinds import ADD, AddParams

    journal = tmp_path / "journal"
    params = AddParams(gate=str(tmp_path / "never"), journal=str(journal), leaves_child=True)
    job_id = runner.submit(ADD, params).job.job_id
    until(lambda: _lines(journal, "child"))
    child = _lines(journal, "child")[0]
    assert processes.start_time(child) is not None

    runner.cancel(job_id)
    job = runner.wait(job_id, BOUND_S)

    assert (job.state, job.reason) == ("cancelled", "cancelled")
    assert "as asked" in runner.log_tail(job_id, 1)[0]  # by itself, not by force
    assert processes.start_time(child) is None
    assert runner.cancel(job_id) == job


def test_work_that_ignores_a_cancel_is_killed_after_the_grace(settings: Settings, tmp_path: Path, until: Until) -> None:
    from tiny_kinds import ADD, AddParams

    runner = Runner(replace(settings, cancel_grace_s=0.5))
    journal = tmp_path / "journal"
    params = AddParams(gate=str(tmp_path / "never"), journal=str(journal), ignores_cancel=True)
    job_id = runner.submit(ADD, params).job.job_id
    until(lambda: _lines(journal, "start"))

    runner.cancel(job_id)
    job = runner.wait(job_id, BOUND_S)

    assert (job.state, job.exit_code) == ("cancelled", -signal.SIGKILL)


def test_a_queued_job_is_cancelled_at_once_and_never_runs(runner: Runner, tmp_path: Path) -> None:
    from tiny_kinds import ADD_ON_GPU, AddParams

    gate = tmp_path / "gate"
    first = runner.submit(ADD_ON_GPU, AddParams(gate=str(gate))).job.job_id
    second = runner.submit(ADD_ON_GPU, AddParams(journal=str(tmp_path / "journal"))).job.job_id

    cancelled = runner.cancel(second)
    gate.touch()

    assert (cancelled.state, cancelled.detail) == ("cancelled", "cancelled before it started")
    assert runner.wait(first, BOUND_S).state == "succeeded"
    assert not (tmp_path / "journal").exists()


def test_a_killed_supervisor_leaves_the_job_running_to_its_exact_end(
    runner: Runner, home: Home, pids, tmp_path: Path, until: Until
) -> None:
    from tiny_kinds import ADD, AddParams

    gate = tmp_path / "gate"
    job_id = runner.submit(ADD, AddParams(numbers=[1], gate=str(gate))).job.job_id
    pids.worker(home.attempt(job_id, 1))
    first = pids.supervisor()
    os.kill(first, signal.SIGKILL)
    until(lambda: not locks.is_held(home.supervisor_lock))
    gate.touch()

    job = runner.wait(job_id, BOUND_S)

    assert (job.state, job.exit_code, job.tries) == ("succeeded", 0, 1)
    queued = runner.submit(ADD, AddParams(numbers=[2])).job.job_id
    assert runner.wait(queued, BOUND_S).state == "succeeded"
    assert pids.supervisor() != first


def test_a_killed_shim_leaves_the_worker_running_and_its_exit_code_exact(
    runner: Runner, home: Home, pids, tmp_path: Path
) -> None:
    """Rule 2 of ``jobs.runner``: the code that the supervisor reaps counts when the shim cannot record it."""
    from tiny_kinds import ADD, AddParams

    gate = tmp_path / "gate"
    job_id = runner.submit(ADD, AddParams(numbers=[1], gate=str(gate))).job.job_id
    os.kill(pids.shim(home.attempt(job_id, 1)), signal.SIGKILL)
    gate.touch()

    job = runner.wait(job_id, BOUND_S)

    assert (job.state, job.exit_code, job.tries) == ("succeeded", 0, 1)


def test_a_killed_worker_is_started_again_and_told(
    runner: Runner, home: Home, store: Store, pids, tmp_path: Path
) -> None:
    from tiny_kinds import ADD, AddParams

    gate, journal = tmp_path / "gate", tmp_path / "journal"
    job_id = runner.submit(ADD, AddParams(numbers=[1], gate=str(gate), journal=str(journal))).job.job_id
    os.kill(pids.worker(home.attempt(job_id, 1)), signal.SIGKILL)
    second = pids.worker(home.attempt(job_id, 2))
    gate.touch()

    job = runner.wait(job_id, BOUND_S)

    assert (job.state, job.attempt, job.tries) == ("succeeded", 2, 2)
    assert second in _lines(journal, "end")
    assert [state for attempt, state in store.events(job_id) if attempt == 1] == [
        "starting", "running", "interrupted", "queued",
    ]  # fmt: skip


def test_a_worker_killed_too_often_is_a_failure(runner: Runner, home: Home, pids, tmp_path: Path) -> None:
    from tiny_kinds import ADD_ONCE, AddParams

    job_id = runner.submit(ADD_ONCE, AddParams(gate=str(tmp_path / "never"))).job.job_id
    os.kill(pids.worker(home.attempt(job_id, 1)), signal.SIGKILL)

    job = runner.wait(job_id, BOUND_S)

    assert (job.state, job.reason, job.exit_code) == ("failed", "signal", -signal.SIGKILL)
    assert job.detail == "killed by an external SIGKILL; no tries left"


def test_with_supervisor_and_shim_killed_the_worker_is_neither_doubled_nor_lost(
    runner: Runner, home: Home, pids, tmp_path: Path, until: Until
) -> None:
    """Rules 1 and 2: the worker's lock says that it lives; its result says how it ended."""
    from tiny_kinds import ADD, AddParams

    gate, journal = tmp_path / "gate", tmp_path / "journal"
    job_id = runner.submit(ADD, AddParams(numbers=[1], gate=str(gate), journal=str(journal))).job.job_id
    folder = home.attempt(job_id, 1)
    until(lambda: _lines(journal, "start"))
    os.kill(pids.supervisor(), signal.SIGKILL)
    os.kill(pids.shim(folder), signal.SIGKILL)
    until(lambda: not locks.is_held(home.supervisor_lock) and not locks.is_held(folder.shim_lock))

    assert runner.get(job_id).state == "running"
    gate.touch()
    job = runner.wait(job_id, BOUND_S)

    assert (job.state, job.tries, job.exit_code) == ("succeeded", 1, None)
    assert len(_lines(journal, "start")) == 1


def test_with_everything_killed_the_job_is_done_again_after_the_next_call(
    runner: Runner, home: Home, pids, tmp_path: Path, until: Until
) -> None:
    """Rules 1 and 2: a free lock and no word mean interrupted, never a guess."""
    from tiny_kinds import ADD, AddParams

    gate, journal = tmp_path / "gate", tmp_path / "journal"
    job_id = runner.submit(ADD, AddParams(numbers=[1], gate=str(gate), journal=str(journal))).job.job_id
    folder = home.attempt(job_id, 1)
    until(lambda: _lines(journal, "start"))
    for pid in (pids.supervisor(), pids.shim(folder), pids.worker(folder)):
        os.kill(pid, signal.SIGKILL)
    gate.touch()

    job = runner.wait(job_id, BOUND_S)

    assert (job.state, job.tries) == ("succeeded", 2)
    assert len(_lines(journal, "end")) == 1


def test_an_orphaned_worker_can_be_cancelled(runner: Runner, home: Home, pids, tmp_path: Path, until: Until) -> None:
    from tiny_kinds import ADD, AddParams

    journal = tmp_path / "journal"
    params = AddParams(gate=str(tmp_path / "never"), journal=str(journal), leaves_child=True)
    job_id = runner.submit(ADD, params).job.job_id
    until(lambda: _lines(journal, "child"))
    os.kill(pids.shim(home.attempt(job_id, 1)), signal.SIGKILL)

    runner.cancel(job_id)
    job = runner.wait(job_id, BOUND_S)

    assert (job.state, job.exit_code) == ("cancelled", 75)
    assert processes.start_time(_lines(journal, "child")[0]) is None


def test_a_sigterm_from_outside_is_not_a_cancel_and_the_work_goes_on(
    runner: Runner, home: Home, pids, tmp_path: Path, until: Until
) -> None:
    from tiny_kinds import ADD, AddParams

    gate, journal = tmp_path / "gate", tmp_path / "journal"
    job_id = runner.submit(ADD, AddParams(numbers=[1], gate=str(gate), journal=str(journal))).job.job_id
    until(lambda: _lines(journal, "start"))
    os.kill(pids.worker(home.attempt(job_id, 1)), signal.SIGTERM)
    until(lambda: len(_lines(journal, "start")) == 2)
    gate.touch()

    job = runner.wait(job_id, BOUND_S)

    assert (job.state, job.tries) == ("succeeded", 2)


def test_below_the_disk_reserve_queued_jobs_wait_and_say_so(runner: Runner, settings: Settings, until: Until) -> None:
    from tiny_kinds import ADD, AddParams

    short = replace(settings, disk_reserve_bytes=10**18)
    supervisor_launcher.ensure_supervisor(short)
    job_id = runner.submit(ADD, AddParams()).job.job_id
    until(lambda: "no job is started" in (settings.home / "supervisor.log").read_text())

    waiting = Runner(short).get(job_id)

    assert waiting.state == "queued"
    assert waiting.detail.startswith("waits for space on the disk")


def test_a_worker_that_cannot_be_started_fails_as_spawn(runner: Runner, settings: Settings) -> None:
    from tiny_kinds import ADD, AddParams

    settings.python("ml").write_text("not a program")

    job_id = runner.submit(ADD, AddParams()).job.job_id
    job = runner.wait(job_id, BOUND_S)

    assert (job.state, job.reason) == ("failed", "spawn")
    assert "could not be started" in job.detail


def test_without_a_supervisor_the_job_is_taken_and_says_what_it_waits_for(
    runner: Runner, settings: Settings, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiny_kinds import ADD, AddParams

    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", str(settings.home / "no-such-python"))
        submission = runner.submit(ADD, AddParams(numbers=[2]))

    assert submission.job.state == "queued"
    assert submission.job.detail == f"waits for the supervisor, which does not run; {home.supervisor_log} may say why"
    assert runner.wait(submission.job.job_id, BOUND_S).state == "succeeded"


def test_an_idle_supervisor_ends_and_the_next_job_starts_another(
    runner: Runner, settings: Settings, home: Home
) -> None:
    from tiny_kinds import ADD, AddParams

    settings.home.mkdir()
    with home.supervisor_log.open("ab") as log:
        launched = subprocess.run(
            [sys.executable, "-S", "-m", "jobs.runner.supervisor", str(settings.home), "0"],
            env=settings.to_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True,
        )  # fmt: skip

    with_wait = locks.take(home.supervisor_lock, wait=True)  # given when the idle one has gone
    assert launched.returncode == 0
    assert with_wait is not None
    os.close(with_wait)
    assert runner.wait(runner.submit(ADD, AddParams()).job.job_id, BOUND_S).state == "succeeded"


def test_two_supervisors_are_never_there(runner: Runner, settings: Settings, pids, tmp_path: Path) -> None:
    """Rule 1 of ``jobs.runner``: the lock is the one supervisor's."""
    from tiny_kinds import ADD, AddParams

    runner.submit(ADD, AddParams(gate=str(tmp_path / "never")))
    first = pids.supervisor()
    subprocess.run(
        [sys.executable, "-S", "-m", "jobs.runner.supervisor", str(settings.home)],
        env=settings.to_environment(), stdin=subprocess.DEVNULL, check=True,
    )  # fmt: skip

    assert pids.supervisor() == first


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc (Linux)")
def test_the_supervisor_is_nobodys_child_and_light(runner: Runner, pids, tmp_path: Path) -> None:
    from tiny_kinds import ADD, AddParams

    runner.submit(ADD, AddParams(gate=str(tmp_path / "never")))
    status = Path(f"/proc/{pids.supervisor()}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)

    assert int(fields["PPid"]) != os.getpid()
    assert int(fields["VmRSS"].split()[0]) < 40_000


def test_a_lock_that_is_held_for_a_moment_keeps_no_shim_and_no_supervisor_away(
    runner: Runner, home: Home, settings: Settings, tmp_path: Path, until: Until
) -> None:
    """Rule 7 of ``jobs.runner``: the owner of a lock waits; one without a reader of the fifo is probed again."""
    from tiny_kinds import ADD, AddParams

    settings.home.mkdir()
    prober = locks.take(home.supervisor_lock, wait=False)
    assert prober is not None
    release = threading.Timer(0.07, os.close, [prober])  # longer than one probe, shorter than all of them
    release.start()
    supervisor_launcher.ensure_supervisor(settings)
    release.join()
    until(lambda: locks.is_held(home.supervisor_lock))

    gate = tmp_path / "gate"
    waiting = runner.submit(ADD, AddParams(gate=str(gate)), not_before=time.time() + 0.5).job.job_id
    folder = home.attempt(waiting, 1)
    folder.path.mkdir(parents=True)
    prober = locks.take(folder.shim_lock, wait=False)
    assert prober is not None
    until(lambda: runner.get(waiting).state == "starting")
    os.close(prober)
    gate.touch()

    assert runner.wait(waiting, BOUND_S).state == "succeeded"


def test_one_poisoned_row_does_not_end_the_supervisor(runner: Runner, home: Home, store: Store, pids) -> None:
    """Rule 6 of ``jobs.runner``: a row that cannot be looked after, here for its id, does not block the others."""
    from tiny_kinds import ADD, AddParams

    runner.submit(ADD, AddParams())
    store.connection.execute(
        "INSERT INTO jobs(id, kind, spec_hash, document, resource, environment, max_tries, created_at, state, attempt) "
        "VALUES('../poison', 'add', 'h', '{}', 'cpu', 'ml', 1, 0, 'running', 1)"
    )
    supervisor = pids.supervisor()

    for number in range(3):
        job_id = runner.submit(ADD, AddParams(numbers=[number])).job.job_id
        assert runner.wait(job_id, BOUND_S).state == "succeeded"

    assert pids.supervisor() == supervisor
    assert home.supervisor_log.read_text().count("../poison cannot be looked after") == 1


def test_a_store_that_is_busy_or_broken_for_a_while_does_not_end_the_supervisor(
    runner: Runner, home: Home, store: Store, pids, until: Until
) -> None:
    """Rule 6 of ``jobs.runner``: the tick is wrapped. Here a table is away, as its pages are when the disk is full."""
    from tiny_kinds import ADD, AddParams

    runner.wait(runner.submit(ADD, AddParams()).job.job_id, BOUND_S)
    supervisor = pids.supervisor()
    store.connection.execute("ALTER TABLE leases RENAME TO away")
    supervisor_launcher.wake(home)
    until(lambda: "cannot work now" in home.supervisor_log.read_text())
    store.connection.execute("ALTER TABLE away RENAME TO leases")

    assert runner.wait(runner.submit(ADD, AddParams(numbers=[1])).job.job_id, BOUND_S).state == "succeeded"
    assert pids.supervisor() == supervisor


def test_a_job_starts_when_its_time_has_come_though_nobody_calls(
    runner: Runner, store: Store, tmp_path: Path, until: Until
) -> None:
    from tiny_kinds import ADD, AddParams

    journal = tmp_path / "journal"
    due = time.time() + 1.5
    job_id = runner.submit(ADD, AddParams(journal=str(journal)), not_before=due).job.job_id

    until(lambda: _lines(journal, "end"))

    row = store.get(job_id)
    assert row is not None
    assert row.started_at is not None
    assert due <= row.started_at


def test_an_orphaned_worker_is_stopped_at_its_longest_run_time(
    runner: Runner, home: Home, pids, tmp_path: Path, until: Until
) -> None:
    from tiny_kinds import ADD, AddParams

    journal = tmp_path / "journal"
    params = AddParams(gate=str(tmp_path / "never"), journal=str(journal))
    job_id = runner.submit(ADD, params, max_run_s=3.0).job.job_id
    until(lambda: _lines(journal, "start"))
    os.kill(pids.shim(home.attempt(job_id, 1)), signal.SIGKILL)

    job = runner.wait(job_id, BOUND_S)

    assert (job.state, job.reason, job.exit_code) == ("failed", "timeout", 75)


def test_a_job_gets_its_submitters_gpus_and_not_those_of_whoever_started_the_supervisor(
    settings: Settings, home: Home, pids, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    from tiny_kinds import ADD, AddParams

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setenv("HF_TOKEN", "a secret")
    supervisor_launcher.ensure_supervisor(settings)
    runner = Runner(replace(settings, gpus="5"))
    job_id = runner.submit(ADD, AddParams(gate=str(tmp_path / "never"))).job.job_id
    folder = home.attempt(job_id, 1)

    environments = [
        Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") for pid in (pids.supervisor(), pids.worker(folder))
    ]

    assert not any(line.startswith(b"HF_TOKEN=") for lines in environments for line in lines)
    assert not any(line.startswith(b"CUDA_VISIBLE_DEVICES=") for line in environments[0])
    assert b"CUDA_VISIBLE_DEVICES=5" in environments[1]
    assert b"TORCH_WARM_POOL=0" in environments[1]  # no processes for what nobody compiles
    for variable in (b"OMP_WAIT_POLICY=PASSIVE", b"GOMP_SPINCOUNT=0", b"KMP_BLOCKTIME=0"):
        assert variable in environments[1]  # threads that wait give way to other programs


def test_with_two_gpus_two_jobs_run_and_the_third_waits_for_either(
    runner: Runner, home: Home, pids, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiny_kinds import ADD_ON_GPU, AddParams

    driver = tmp_path / "bin" / "nvidia-smi"
    driver.parent.mkdir()
    lines = "\n".join(f"GPU {n}: Fake (UUID: GPU-0000000{n}-0000-4000-8000-000000000000)" for n in range(2))
    driver.write_text(f"#!/bin/sh\n[ \"$1\" = -L ] && echo '{lines}' || true\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{driver.parent}:{os.environ['PATH']}")
    gate = tmp_path / "gate"

    jobs = [runner.submit(ADD_ON_GPU, AddParams(numbers=[n], gate=str(gate))).job.job_id for n in range(3)]
    devices = []
    for job_id in jobs[:2]:
        worker = pids.worker(home.attempt(job_id, 1))
        lines_of_worker = Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
        devices += [line for line in lines_of_worker if line.startswith(b"CUDA_VISIBLE_DEVICES=")]
    waiting = runner.get(jobs[2])
    gate.touch()

    assert devices == [b"CUDA_VISIBLE_DEVICES=0", b"CUDA_VISIBLE_DEVICES=1"]
    assert waiting.detail == f"waits for the gpu, which {jobs[0]}, {jobs[1]} use"
    assert runner.wait(jobs[2], BOUND_S).state == "succeeded"
