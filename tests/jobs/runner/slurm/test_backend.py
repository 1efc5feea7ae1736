"""The backend against commands of our own in Slurm's place: what it makes of lost, refused and missing answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.attempt import claim
from jobs.runner.backend import AttemptPhase
from jobs.runner.paths import Home
from jobs.runner.slurm.backend import SlurmBackend
from jobs.runner.slurm.slurm_cli import NoAnswerError, RefusedError, SlurmCli
from jobs.runner.store import JobRow
from jobs.settings import Settings, SlurmSettings

Until = Callable[[Callable[[], object]], object]
DOWN = "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1"
JOB = "add-20260101-000000-0001"


class FakeSlurm:
    """Shell scripts named like Slurm's commands; each call is noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("sbatch", "squeue", "scancel"):
            self.answer(name, "true")

    def answer(self, name: str, script: str) -> None:
        """What a command does from now on."""
        file = self.folder / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.folder}/calls"\n{script}\n')
        file.chmod(0o755)

    def calls(self, name: str) -> list[str]:
        """The arguments that a command was called with."""
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]

    def commands(self, timeout_s: float = 5.0, silence_s: float = 0.0) -> SlurmCli:
        """The adapter that calls them."""
        return SlurmCli({"PATH": f"{self.folder}:/usr/bin:/bin"}, timeout_s=timeout_s, silence_s=silence_s)


@pytest.fixture
def fake(tmp_path: Path) -> FakeSlurm:
    """Slurm's place."""
    return FakeSlurm(tmp_path / "bin")


@pytest.fixture
def row(settings: Settings) -> JobRow:
    """An attempt that is to be handed over."""
    document = {"job_id": JOB, "params": {"clip": "/here/clip.wav"}, "settings": {"envs": str(settings.envs)}}
    return JobRow(
        seq=1, id=JOB, kind="add", spec_hash="", fingerprint=None, document=json.dumps(document), resource="gpu",
        environment="ml", state="starting", attempt=1, tries=0, max_tries=3, cancel=0, exit_code=None, reason=None,
        detail="", result=None, failure=None, created_at=time.time(), started_at=None, ended_at=None,
    )  # fmt: skip


def test_a_command_that_hangs_is_no_answer_and_is_not_asked_again_at_once(fake: FakeSlurm) -> None:
    fake.answer("squeue", "sleep 60")
    commands = fake.commands(timeout_s=0.2, silence_s=60.0)

    with pytest.raises(NoAnswerError, match="in time"):
        commands.run("squeue")
    with pytest.raises(NoAnswerError, match="a moment ago"):
        commands.run("squeue")

    assert len(fake.calls("squeue")) == 1


def test_an_error_of_slurm_is_told_from_no_answer(fake: FakeSlurm) -> None:
    fake.answer("sbatch", "echo 'sbatch: error: invalid partition specified: nope' >&2; exit 1")
    fake.answer("squeue", DOWN)

    with pytest.raises(RefusedError, match="invalid partition"):
        fake.commands().run("sbatch")
    with pytest.raises(NoAnswerError, match="Unable to contact"):
        fake.commands().run("squeue")


def test_a_submission_that_slurm_forgets_is_fenced_off_and_given_up(
    fake: FakeSlurm, settings: Settings, row: JobRow, until: Until
) -> None:
    fake.answer("sbatch", "echo 41")
    backend = SlurmBackend(settings, fake.commands(), missing_s=0.1)
    folder = Home(settings.home).attempt(row.id, 1).path

    assert backend.start(row) == "41"
    until(lambda: backend.look(row).where is AttemptPhase.GONE)

    assert claim.owner_of(folder) == claim.SUPERVISOR
    assert not claim.take(folder, "a late shim")
    assert fake.calls("scancel") == [f"--name=tts:{JOB}:1"]


def test_an_id_that_belongs_to_another_job_by_now_is_not_taken_for_ours(
    fake: FakeSlurm, settings: Settings, row: JobRow, until: Until
) -> None:
    fake.answer("sbatch", "echo 41")
    fake.answer("squeue", f"echo '41|RUNNING|{int(time.time())}|None|somebody else'")
    backend = SlurmBackend(settings, fake.commands(), missing_s=0.1)

    backend.start(row)

    until(lambda: backend.look(row).where is AttemptPhase.GONE)


def test_a_submission_whose_answer_was_lost_is_found_by_its_name_and_not_made_twice(
    fake: FakeSlurm, settings: Settings, row: JobRow, until: Until
) -> None:
    fake.answer("sbatch", "sleep 60")
    fake.answer("squeue", f"echo '41|PENDING|{int(time.time())}|Resources|tts:{JOB}:1'")

    SlurmBackend(settings, fake.commands(timeout_s=0.2)).start(row)
    after_a_restart = SlurmBackend(settings, fake.commands())
    after_a_restart.start(row)
    until(lambda: after_a_restart.look(row).where is AttemptPhase.WAITING)

    assert after_a_restart.look(row).detail == "waits in Slurm's queue as job 41 (Resources)"
    assert len(fake.calls("sbatch")) == 1


def test_while_slurm_is_away_nothing_is_concluded_and_the_job_is_handed_over_later(
    fake: FakeSlurm, settings: Settings, row: JobRow, until: Until
) -> None:
    fake.answer("sbatch", DOWN)
    fake.answer("squeue", DOWN)
    backend = SlurmBackend(settings, fake.commands(), missing_s=0.0, resubmit_s=0.1)

    backend.start(row)
    assert backend.look(row).where is AttemptPhase.UNKNOWN
    fake.answer("sbatch", "echo 42")

    until(lambda: backend.look(row).where is AttemptPhase.UNKNOWN and backend.start(row) == "42")


def test_what_slurm_does_not_want_is_refused_with_its_words(fake: FakeSlurm, settings: Settings, row: JobRow) -> None:
    fake.answer("sbatch", "echo 'sbatch: error: invalid partition specified: nope' >&2; exit 1")

    with pytest.raises(UserError, match="invalid partition specified: nope") as refused:
        SlurmBackend(settings, fake.commands()).start(row)

    assert refused.value.code == "slurm_refused"


def test_a_cancelled_job_in_the_queue_is_taken_out_by_name(fake: FakeSlurm, settings: Settings, row: JobRow) -> None:
    fake.answer("sbatch", "echo 41")
    backend = SlurmBackend(settings, fake.commands())
    backend.start(row)

    backend.cancel(replace(row, cancel=1))
    backend.cancel(replace(row, cancel=1))

    assert fake.calls("scancel") == [f"--name=tts:{JOB}:1"]
    assert Home(settings.home).attempt(JOB, 1).cancel.exists()


def test_the_worker_on_the_node_gets_the_paths_of_the_node(fake: FakeSlurm, settings: Settings, row: JobRow) -> None:
    mapped = replace(settings, slurm=SlurmSettings(path_map={"/here": "/there", str(settings.home): "/nodes/home"}))
    fake.answer("sbatch", "echo 41")

    SlurmBackend(mapped, fake.commands()).start(row)

    folder = Home(settings.home).attempt(JOB, 1)
    assert json.loads(folder.task.read_text())["document"]["params"] == {"clip": "/there/clip.wav"}
    assert f"--remote /nodes/home/jobs/{JOB}/attempt-1" in (folder.path / "slurm.sh").read_text()
    assert {path.stat().st_mode & 0o777 for path in (folder.task, folder.path / "slurm.json")} == {0o600}
