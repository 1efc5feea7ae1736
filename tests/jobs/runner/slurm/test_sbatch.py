"""What sbatch is given."""

from __future__ import annotations

from pathlib import Path

from jobs.runner.attempt.path_mapping import map_json, map_text
from jobs.runner.slurm.sbatch import arguments, script
from jobs.settings import SlurmSettings

FOLDER = Path("/lab/jobs/a b/attempt-2")


def _arguments(slurm: SlurmSettings, *, needs_gpu: bool = False, **needs: int) -> list[str]:
    return arguments(slurm, job_id="a", attempt=2, folder=FOLDER, needs_gpu=needs_gpu, **needs)


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
    text = script(
        {"TTS_TRAIN_HOME": "/home/me/v", "PYTHONPATH": "/home/me/p:/opt/x"},
        python="/nodes/me/bin/python",
        folder=FOLDER,
        path_map={"/home/me": "/nodes/me"},
    )

    assert text.splitlines() == [
        "#!/bin/bash",
        "export PYTHONPATH=/nodes/me/p:/opt/x",
        "export TTS_TRAIN_HOME=/nodes/me/v",
        "exec /nodes/me/bin/python -S -m jobs.runner.shim --remote '/lab/jobs/a b/attempt-2'",
    ]


def test_only_whole_folders_are_mapped_and_the_longest_prefix_wins() -> None:
    prefixes = {"/data": "/mnt/d", "/data/fast": "/ssd"}

    assert map_text("/data/x", prefixes) == "/mnt/d/x"
    assert map_text("/data/fast/x", prefixes) == "/ssd/x"
    assert map_text("/database", prefixes) == "/database"
    assert map_text("say: /data", prefixes) == "say: /data"
    assert map_json({"a": ["/data"], "n": 1}, prefixes) == {"a": ["/mnt/d"], "n": 1}
