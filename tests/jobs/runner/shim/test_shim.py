"""A shim away from the store: all it shares with the supervisor is the attempt's folder."""

from __future__ import annotations

import dataclasses
import errno
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.files.records import read_record
from jobs.runner.attempt import claim
from jobs.runner.attempt.outcome import CANCELLED_EXIT
from jobs.runner.attempt.spec import AttemptSpec
from jobs.runner.machine import processes
from jobs.runner.paths import AttemptFolder
from jobs.runner.shim import shim as shim_module
from jobs.runner.shim.shim import Ticks
from jobs.settings import Settings
from tests.support.processes import make_job_id

BOUND_S = 60.0
JOB = make_job_id("add")

Until = Callable[[Callable[[], object]], object]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    """An attempt's folder on what would be shared storage."""
    path = tmp_path / "shared" / JOB / "attempt-1"
    path.mkdir(parents=True)
    return AttemptFolder(path)


@pytest.fixture
def start(folder: AttemptFolder, settings: Settings) -> Iterator[Start]:
    """Write what is to run, and start a shim for it as a batch script would."""
    shims: list[subprocess.Popen[bytes]] = []

    def begin(
        *,
        max_run_s: float | None = None,
        recorded: Mapping[str, str] | None = None,
        python: str | None = None,
        **params: Any,
    ) -> subprocess.Popen[bytes]:
        document = {
            "job_id": JOB,
            "kind": "add",
            "spec": "tiny_kinds",
            "params": params,
            "settings": {
                **(recorded or {}),
                "roots": [str(root) for root in settings.roots],
                "hub_cache": str(settings.hub_cache),
                "torch_cache": str(settings.torch_cache),
            },
        }
        task = AttemptSpec(JOB, 1, "ml", document, max_run_s)
        folder.task.write_text(json.dumps(dataclasses.asdict(task) | ({"python": python} if python else {})))
        with (folder.path / "slurm.log").open("ab") as log:
            shim = subprocess.Popen(
                [sys.executable, "-S", "-m", "jobs.runner.shim", "--remote", str(folder.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dataclasses.replace(settings, cancel_grace_s=2).to_environment(),
            )
        shims.append(shim)
        return shim

    yield begin
    for shim in shims:
        shim.kill()
        shim.wait()


def _has_begun(folder: AttemptFolder) -> Callable[[], object]:
    return lambda: folder.progress.exists() and folder.progress.read_text()


def test_it_runs_the_work_and_writes_down_how_it_ended(folder: AttemptFolder, start: Start) -> None:
    shim = start(numbers=[1, 2, 3])

    assert shim.wait(BOUND_S) == 0
    record, result = read_record(folder.exit), read_record(folder.result)
    assert record is not None
    assert result is not None
    assert (record["code"], record["cancelled"], record["timed_out"]) == (0, False, False)
    assert result["total"] == 6
    assert read_record(folder.path.parent / "job.json") is not None
    assert folder.alive.exists()


def test_no_record_of_a_job_says_which_interpreter_runs(
    folder: AttemptFolder, start: Start, settings: Settings, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs" / "ml" / "bin" / "python"
    theirs.parent.mkdir(parents=True)
    theirs.write_text(f"#!/bin/sh\ntouch {tmp_path / 'their-python-ran'}\n")
    theirs.chmod(0o755)

    shim = start(numbers=[1, 2], recorded={"envs": str(tmp_path / "theirs")}, python=str(theirs))

    assert shim.wait(BOUND_S) == 0
    assert (read_record(folder.result) or {})["total"] == 3
    assert not (tmp_path / "their-python-ran").exists()


def test_an_attempt_that_was_given_up_never_begins(folder: AttemptFolder, start: Start) -> None:
    assert claim.take(folder.path, claim.SUPERVISOR)

    shim = start(numbers=[1])

    assert shim.wait(BOUND_S) == 0
    assert not folder.start.exists()
    assert not folder.exit.exists()


def test_a_script_that_slurm_starts_twice_works_once(folder: AttemptFolder, start: Start, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    first = start(numbers=[1], journal=str(journal))
    assert first.wait(BOUND_S) == 0

    second = start(numbers=[1], journal=str(journal))

    assert second.wait(BOUND_S) == 0
    assert journal.read_text().count("start") == 1


def test_a_cancel_file_stops_the_work_and_what_it_has_left(
    folder: AttemptFolder, start: Start, until: Until, tmp_path: Path
) -> None:
    shim = start(numbers=[1], gate=str(tmp_path / "never"), leaves_child=True, journal=str(tmp_path / "journal"))
    until(_has_begun(folder))

    folder.cancel.write_text("")

    assert shim.wait(BOUND_S) == 0
    record = read_record(folder.exit)
    assert record is not None
    assert (record["code"], record["cancelled"]) == (CANCELLED_EXIT, True)
    child = int((tmp_path / "journal").read_text().split("child ")[1].split()[0])
    assert processes.start_time(child) is None


def test_notice_from_the_machine_stops_the_work_at_a_safe_point_without_cancelling_it(
    folder: AttemptFolder, start: Start, until: Until, tmp_path: Path
) -> None:
    shim = start(numbers=[1], gate=str(tmp_path / "never"))
    until(_has_begun(folder))

    shim.send_signal(signal.SIGTERM)

    assert shim.wait(BOUND_S) == 0
    record = read_record(folder.exit)
    assert record is not None
    assert (record["code"], record["cancelled"], record["timed_out"]) == (CANCELLED_EXIT, False, False)


def test_work_that_runs_longer_than_it_may_is_stopped_and_then_killed(
    folder: AttemptFolder, start: Start, tmp_path: Path
) -> None:
    shim = start(numbers=[1], gate=str(tmp_path / "never"), ignores_cancel=True, max_run_s=5.0)  # it must have begun

    assert shim.wait(BOUND_S) == 0
    record = read_record(folder.exit)
    assert record is not None
    assert record["timed_out"]
    assert record["code"] == -signal.SIGKILL


def test_a_supervisor_that_cannot_be_started_now_does_not_end_the_shim(
    folder: AttemptFolder, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    director = AttemptSpec(JOB, 1, "ml", {}, None, is_director=True)
    ticks = Ticks(director, folder, dataclasses.replace(settings, home=tmp_path / "file" / "home"), False)

    assert ticks() is None


@pytest.mark.parametrize(("number", "n_tries"), [(errno.EAGAIN, 3), (errno.ENOENT, 1)])
def test_a_machine_without_processes_for_a_moment_costs_no_job(
    number: int, n_tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def spawn(*_: object) -> str:
        tries.append(1)
        if len(tries) < 3:
            raise OSError(number, "not now")
        return "worker"

    monkeypatch.setattr(shim_module, "_spawn", spawn)
    monkeypatch.setattr(shim_module, "SPAWN_PAUSES_S", (0.0, 0.0, 0.0))
    spec: Any = SimpleNamespace(job_id="job")
    folder: Any = None

    if n_tries == 1:
        with pytest.raises(FileNotFoundError):
            shim_module._spawn_patiently(spec, folder, folder, None, False)
    else:
        assert shim_module._spawn_patiently(spec, folder, folder, None, False) == "worker"
    assert len(tries) == n_tries
