"""Attempts whose shim has ended: what their files say is checked before a process is signalled."""

from __future__ import annotations

import math
import os
import signal
import subprocess
from pathlib import Path

import pytest

from jobs.files import records
from jobs.files.output_marks import SLACK_S, Place
from jobs.runner.attempt import left_outputs
from jobs.runner.machine import locks, processes
from jobs.runner.paths import AttemptFolder, Home
from jobs.runner.store import JobRow, Store
from jobs.runner.supervisor.lost_attempts import LostAttempts
from jobs.settings import Settings
from tests.support.processes import make_job_id

JOB = make_job_id("add")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc (Linux)")
def test_a_record_that_names_another_process_stops_nothing(settings: Settings, store: Store, home: Home) -> None:
    folder = add_running(store, home, cancel=1)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as other:
        started = processes.start_time(other.pid)
        records.write_record(folder.start, {"pid": other.pid, "start_time": started, "shim": 1})

        LostAttempts(settings, store, lambda *_: None).settle(get(store), folder)
        said = other.communicate(b"still here")[0]

    assert said == b"still here"
    assert get(store).state == "cancelled"


def test_an_exit_code_is_of_the_process_that_was_started_and_not_of_a_later_one_with_its_pid(
    settings: Settings, store: Store, home: Home
) -> None:
    folder = add_running(store, home)
    records.write_record(folder.start, {"pid": 2**30, "start_time": "5", "shim": 2**30, "shim_start_time": "4"})
    codes = {(2**30, "6"): 0, (2**30, "5"): 7}

    LostAttempts(settings, store, lambda *process: codes.get(process)).settle(get(store), folder)

    assert (get(store).state, get(store).exit_code) == ("failed", 7)


def test_an_attempt_whose_shim_has_freed_its_lock_but_not_ended_is_looked_at_again(
    settings: Settings, store: Store, home: Home
) -> None:
    folder = add_running(store, home)
    shim, began = os.getpid(), processes.start_time(os.getpid())
    records.write_record(folder.start, {"pid": 2**30, "start_time": "5", "shim": shim, "shim_start_time": began})

    LostAttempts(settings, store, lambda *_: None).settle(get(store), folder)

    assert get(store).state == "running"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc (Linux)")
def test_a_worker_that_its_shim_had_no_time_to_note_is_found_stopped_and_its_code_kept(
    settings: Settings, store: Store, home: Home
) -> None:
    folder = add_running(store, home, cancel=1)
    tree_lock = locks.take(folder.tree_lock, wait=True)
    assert tree_lock is not None
    mark = {processes.MARK: f"{JOB}/1"}
    with subprocess.Popen(
        ["sleep", "600"], env=os.environ | mark, start_new_session=True, pass_fds=[tree_lock]
    ) as worker:
        os.close(tree_lock)
        lost = LostAttempts(settings, store, lambda pid, _: worker.returncode if pid == worker.pid else None)
        lost.settle(get(store), folder)
        code = worker.wait()
    lost.settle(get(store), folder)

    assert code == -signal.SIGTERM
    assert (get(store).state, get(store).exit_code) == ("cancelled", -signal.SIGTERM)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc (Linux)")
def test_a_process_whose_environment_is_not_there_yet_is_neither_stopped_nor_given_up(
    settings: Settings, store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "EXEC_WAIT_S", 0.01)
    folder = add_running(store, home, cancel=1)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}) as bare:
        records.write_record(folder.start, {"pid": bare.pid, "start_time": processes.start_time(bare.pid), "shim": 0})

        LostAttempts(settings, store, lambda *_: None).settle(get(store), folder)

        assert bare.communicate(b"still here")[0] == b"still here"
    assert get(store).state == "running"


def test_what_a_person_put_in_place_after_the_machine_stopped_is_not_the_jobs(
    settings: Settings, store: Store, home: Home, tmp_path: Path
) -> None:
    """What was there at the last sign of life is, with its content."""
    folder, out = add_running(store, home), tmp_path / "out"
    place = Place(out, ("*.wav",), "add.out_dir")
    place.claim(JOB)
    left_outputs.note(folder, [place])
    (out / "001.wav").write_text("of the job")
    left_outputs.show_life(folder)
    stopped = folder.alive.stat().st_mtime
    (out / "002.wav").write_text("of the job, in its last seconds")
    os.utime(folder.alive, (stopped - SLACK_S, stopped - SLACK_S))
    for name in ("002.wav", "055.wav"):  # until the clock of files shows a later time
        while not (out / name).exists() or (out / name).stat().st_ctime <= stopped:
            (out / name).write_text("mine")

    LostAttempts(settings, store, lambda *_: None).settle(get(store), folder)

    assert get(store).state == "interrupted"
    assert place.foreign(lambda job, _: math.inf if job == JOB else None) == ["002.wav", "055.wav"]


def add_running(store: Store, home: Home, cancel: int = 0) -> AttemptFolder:
    """Add a job whose first attempt runs."""
    row = {"id": JOB, "kind": "add", "spec_hash": "", "document": "{}", "resource": "cpu", "environment": "ml",
           "max_tries": 1, "created_at": 1.0, "state": "running", "attempt": 1, "cancel": cancel}  # fmt: skip
    with store.transaction() as connection:
        store.insert(connection, row, None)
    folder = home.attempt(JOB, 1)
    folder.path.mkdir(parents=True)
    return folder


def get(store: Store) -> JobRow:
    """The job as it is now."""
    row = store.get(JOB)
    assert row is not None
    return row
