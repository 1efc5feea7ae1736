"""Submission: what is written before Slurm is asked, what the node gets, and which refusals are final."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from jobs.errors import UserError
from jobs.runner.paths import AttemptFolder, Home
from jobs.runner.slurm.submission import Submitter, build_path_map, read_request
from jobs.runner.store import JobRow
from jobs.settings import Settings, SlurmSettings
from tests.jobs.runner.slurm.conftest import JOB, FakeSlurm


@pytest.fixture
def folder(settings: Settings) -> AttemptFolder:
    """Folder of the attempt."""
    found = Home(settings.home).attempt(JOB, 1)
    found.path.mkdir(parents=True)
    return found


def test_the_attempt_and_the_question_are_on_the_disk_before_slurm_is_asked(
    fake: FakeSlurm, settings: Settings, row: JobRow, folder: AttemptFolder
) -> None:
    fake.answer("sbatch", f"test -s '{folder.task}' && grep -q asked_at '{folder.path}/slurm.json' && echo 41")

    asked = Submitter(settings, fake.commands(), {}).submit(row, folder)

    assert asked["slurm_id"] == "41"
    assert read_request(folder) == asked


@pytest.mark.parametrize("words", ["Requested node(s) are busy", "Resource temporarily unavailable"])
def test_a_refusal_that_may_pass_leaves_nothing_and_is_tried_again_after_a_while(
    words: str, fake: FakeSlurm, settings: Settings, row: JobRow, folder: AttemptFolder
) -> None:
    fake.answer("sbatch", f"echo 'sbatch: error: {words}' >&2; exit 1")
    patient, quick = (Submitter(settings, fake.commands(), {}, resubmit_s=seconds) for seconds in (60.0, 0.0))

    patient.submit(row, folder)
    quick.submit(row, folder)
    assert read_request(folder) is None
    fake.answer("sbatch", "echo 42")
    patient.submit_again(row, folder)
    assert read_request(folder) is None
    quick.submit_again(row, folder)

    assert (read_request(folder) or {})["slurm_id"] == "42"


def test_what_slurm_does_not_want_is_refused_with_its_words(
    fake: FakeSlurm, settings: Settings, row: JobRow, folder: AttemptFolder
) -> None:
    fake.answer("sbatch", "echo 'sbatch: error: invalid partition specified: nope' >&2; exit 1")

    with pytest.raises(UserError, match="invalid partition specified: nope") as refused:
        Submitter(settings, fake.commands(), {}).submit(row, folder)

    assert refused.value.code == "slurm_refused"


def test_the_worker_on_the_node_gets_the_paths_of_the_node(
    fake: FakeSlurm, settings: Settings, row: JobRow, folder: AttemptFolder
) -> None:
    mapped = replace(settings, slurm=SlurmSettings(path_map={"/here": "/there", str(settings.home): "/nodes/home"}))
    fake.answer("sbatch", "echo 41")

    Submitter(mapped, fake.commands(), build_path_map(mapped)).submit(row, folder)

    assert json.loads(folder.task.read_text())["document"]["params"] == {"clip": "/there/clip.wav"}
    assert f"--remote /nodes/home/jobs/{JOB}/attempt-1" in (folder.path / "slurm.sh").read_text()
    assert {path.stat().st_mode & 0o777 for path in (folder.task, folder.path / "slurm.json")} == {0o600}
