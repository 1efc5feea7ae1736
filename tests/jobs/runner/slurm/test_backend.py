"""The backend against commands of our own in Slurm's place: what it makes of lost, refused and missing answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from jobs.runner.attempt import claim
from jobs.runner.backend import AttemptPhase
from jobs.runner.paths import Home
from jobs.runner.slurm.backend import SlurmBackend
from jobs.runner.store import JobRow
from jobs.settings import Settings
from tests.jobs.runner.slurm.conftest import DOWN, JOB, FakeSlurm

Until = Callable[[Callable[[], object]], object]


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


def test_a_cancelled_job_in_the_queue_is_taken_out_by_name(fake: FakeSlurm, settings: Settings, row: JobRow) -> None:
    fake.answer("sbatch", "echo 41")
    backend = SlurmBackend(settings, fake.commands())
    backend.start(row)

    backend.cancel(replace(row, cancel=1))
    backend.cancel(replace(row, cancel=1))

    assert fake.calls("scancel") == [f"--name=tts:{JOB}:1"]
    assert Home(settings.home).attempt(JOB, 1).cancel.exists()
