"""What surrounds the runner at its worst: many submitters at once, odd paths, disks that are full or read-only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from tests.support.small_disk import mounted, needs_root, remount

N_PROCESSES, N_EACH = 8, 125
NOT_BEFORE = 4e9  # far off: what is submitted here is not meant to run


def test_a_thousand_submissions_from_eight_processes_are_all_kept(settings: Settings) -> None:
    code = (
        "import sys; from tiny_kinds import ADD, AddParams; from jobs.runner.client.runner import Runner\n"
        "from jobs.settings import Settings\n"
        "runner, me = Runner(Settings.from_environment()), int(sys.argv[1])\n"
        f"for n in range({N_EACH}):\n"
        f"    print(runner.submit(ADD, AddParams(numbers=[me, n]), not_before={NOT_BEFORE}).job.job_id)\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(number)], env=settings.to_environment(), stdout=subprocess.PIPE, text=True
        )
        for number in range(N_PROCESSES)
    ]

    told = [line for process in processes for line in process.communicate(timeout=120)[0].splitlines()]

    kept = Runner(settings).list(limit=5_000)
    assert [process.returncode for process in processes] == [0] * N_PROCESSES
    assert len(set(told)) == N_PROCESSES * N_EACH
    assert {job.job_id for job in kept} == set(told)


@pytest.mark.parametrize("name", ["a 'quoted' \"home\"", "Hörbücher – 日本語 🎧", "with\nnewline", "$HOME;`true`&"])
def test_a_home_may_have_any_name(
    settings: Settings, tmp_path: Path, name: str, end_processes_of: Callable[[Path], None]
) -> None:
    from tiny_kinds import ADD, AddParams

    home = tmp_path / name
    runner = Runner(replace(settings, home=home))

    job = runner.wait(runner.submit(ADD, AddParams(numbers=[1, 2])).job.job_id, 60)

    assert job.state == "succeeded"
    assert runner.resolve(f"artifact://{job.job_id}/sum").read_text() == "3.0\n"
    end_processes_of(home)


@pytest.fixture
def small_disk(tmp_path: Path, end_processes_of: Callable[[Path], None]) -> Iterator[Path]:
    """A file system of 3 MB."""
    with mounted(tmp_path / "small disk", "3m") as folder:
        yield folder
        end_processes_of(folder / "home")


@needs_root
def test_a_full_disk_hides_no_ending_and_takes_no_new_job(
    settings: Settings, small_disk: Path, tmp_path: Path, until: Callable[[Callable[[], object]], object]
) -> None:
    from tiny_kinds import ADD, AddParams

    runner = Runner(replace(settings, home=small_disk / "home", disk_reserve_bytes=300_000))
    gate, journal = tmp_path / "gate", tmp_path / "journal"
    job = runner.submit(ADD, AddParams(gate=str(gate), journal=str(journal))).job
    until(journal.exists)
    filler = small_disk / "filler"
    fill(filler)

    with pytest.raises(UserError) as refused:
        runner.submit(ADD, AddParams(numbers=[1]))
    gate.touch()
    until(lambda: not processes_of_attempt(job.job_id))
    filler.unlink()
    ended = runner.wait(job.job_id, 60)

    assert refused.value.code == "disk_full"
    assert (ended.state, ended.reason) == ("failed", "disk_full")  # it could not write what it had made, and says so
    assert runner.wait(runner.submit(ADD, AddParams(numbers=[1])).job.job_id, 60).state == "succeeded"


@needs_root
def test_a_home_that_cannot_be_written_is_refused(settings: Settings, small_disk: Path) -> None:
    from tiny_kinds import ADD, AddParams

    remount(small_disk, "ro")

    with pytest.raises(UserError) as refused:
        Runner(replace(settings, home=small_disk / "home")).submit(ADD, AddParams())

    assert refused.value.code == "home_unusable"


def fill(path: Path) -> None:
    """Take all space that is left."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        for size in (65_536, 4_096):
            try:
                while True:
                    os.write(descriptor, b"x" * size)
            except OSError:
                continue
    finally:
        os.close(descriptor)


def processes_of_attempt(job_id: str) -> list[str]:
    """Workers of a job that are alive."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"TTS_TRAIN_ATTEMPT={job_id}/".encode() in (entry / "environ").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found
