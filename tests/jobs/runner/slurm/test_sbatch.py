"""Submission with sbatch: its arguments, what is written before Slurm is asked, and which refusals are final."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.attempt.path_mapping import map_json, map_text
from jobs.runner.paths import AttemptFolder, Home
from jobs.runner.slurm.sbatch import Submitter, build_arguments, build_path_map, build_script, read_request
from jobs.runner.store import JobRow
from jobs.settings import Settings, SlurmSettings
from tests.jobs.runner.slurm.conftest import JOB, FakeSlurm

FOLDER = Path("/lab/jobs/a b/attempt-2")


def _arguments(slurm: SlurmSettings, *, needs_gpu: bool = False, **needs: int) -> list[str]:
    return build_arguments(slurm, job_id="a", attempt=2, folder=FOLDER, needs_gpu=needs_gpu, **needs)


def test_the_name_holds_job_and_attempt_and_slurm_starts_nothing_again_by_itself() -> None:
    given = _arguments(SlurmSettings())

    assert "--job-name=tts:a:2" in given
    assert "--no-requeue" in given
    assert "--signal=B:TERM@120" in given
    assert "--time=24:00:00" in given
    assert "--mem=16G" in given


def test_only_work_that_needs_a_gpu_asks_for_one() -> None:
    slurm = SlurmSettings(gres="gpu:a100:1")

    assert "--gres=gpu:a100:1" in _arguments(slurm, needs_gpu=True)
    assert not [part for part in _arguments(slurm) if part.startswith("--gres")]


def test_what_the_cluster_wants_is_passed_on() -> None:
    slurm = SlurmSettings(partition="gpu", account="lab", qos="long", cpus=8, nodes=2, extra=("--exclusive",))

    given = _arguments(slurm, memory_mb=4000, n_processes=4)

    wanted = {"--partition=gpu", "--account=lab", "--qos=long", "--cpus-per-task=8", "--nodes=2", "--mem=4000M"}
    assert wanted <= set(given)
    assert given[-1] == "--exclusive"


def test_work_in_one_process_asks_for_one_node() -> None:
    given = _arguments(SlurmSettings(nodes=2))

    assert not [part for part in given if "nodes" in part or "ntasks" in part]


def test_the_script_becomes_the_shim_with_the_paths_of_the_nodes() -> None:
    text = build_script(
        {"TTS_TRAIN_HOME": "/home/me/v:/home/me", "TTS_TRAIN_ROOTS": '["/home/me/a:/home/me", "/b"]'}
        | {"PYTHONPATH": "/home/me/p:/opt/x"},
        python="/nodes/me/bin/python",
        folder=FOLDER,
        path_map={"/home/me": "/nodes/me"},
    )

    assert text.splitlines() == [
        "#!/bin/bash",
        "export PYTHONPATH=/nodes/me/p:/opt/x",
        "export TTS_TRAIN_HOME=/nodes/me/v:/home/me",
        """export TTS_TRAIN_ROOTS='["/nodes/me/a:/home/me", "/b"]'""",
        "exec /nodes/me/bin/python -S -m jobs.runner.shim --remote '/lab/jobs/a b/attempt-2'",
    ]


def test_only_whole_folders_are_mapped_and_the_longest_prefix_wins() -> None:
    prefixes = {"/data": "/mnt/d", "/data/fast": "/ssd"}

    assert map_text("/data/x", prefixes) == "/mnt/d/x"
    assert map_text("/data/fast/x", prefixes) == "/ssd/x"
    assert map_text("/database", prefixes) == "/database"
    assert map_text("say: /data", prefixes) == "say: /data"
    assert map_json({"a": ["/data"], "n": 1}, prefixes) == {"a": ["/mnt/d"], "n": 1}


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
