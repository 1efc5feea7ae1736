"""One reading of the environment, and the way to hand it on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.settings import PROJECT_ROOT, Settings, SlurmSettings


def test_a_child_that_is_given_the_environment_reads_the_same_settings(tmp_path: Path) -> None:
    settings = Settings.from_environment({"TTS_TRAIN_HOME": str(tmp_path)}, cwd=tmp_path)
    changed = replace(
        settings,
        envs=tmp_path / "envs",
        roots=(*settings.roots, tmp_path / "more"),
        gpu_slots=2,
        cpu_slots=3,
        disk_reserve_bytes=7_000_000,
        cancel_grace_s=1.5,
        check_gpu_free=False,
        log_limit_bytes=3_000_000,
        sandbox=False,
        backend="slurm",
        slurm=SlurmSettings(partition="gpu", extra=("--exclusive",), path_map={"/a": "/b"}),
        gpus="1",
        hub_cache=tmp_path / "hub",
        torch_cache=tmp_path / "torch",
    )

    assert Settings.from_environment(changed.to_environment({})) == changed


def test_the_project_comes_first_on_the_python_path_and_relative_parts_become_absolute(tmp_path: Path) -> None:
    settings = Settings.from_environment({}, cwd=tmp_path)

    path = settings.to_environment({"PYTHONPATH": f"plugins:{PROJECT_ROOT}"})["PYTHONPATH"]

    assert path.split(":") == [str(PROJECT_ROOT), str(Path.cwd() / "plugins")]


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    settings = Settings.from_environment({"TTS_TRAIN_HOME": str(tmp_path)}, cwd=tmp_path)

    with pytest.raises(UserError, match="secret_missing"):
        settings.secret("brave.key", "")
    (tmp_path / "brave.key").write_text("the-key\n")
    assert settings.secret("brave.key", "") == "the-key"
    assert settings.secret("", "") == ""


@pytest.mark.parametrize(
    "value",
    ["not json", '{"partitions": "gpu"}', "[1]", "3", '{"nodes": "2"}', '{"extra": "--nice"}', '{"stop_s": null}'],
)
def test_an_invalid_variable_of_slurm_is_an_error(tmp_path: Path, value: str) -> None:
    with pytest.raises(UserError, match="settings_invalid: TTS_TRAIN_SLURM"):
        Settings.from_environment({"TTS_TRAIN_HOME": str(tmp_path), "TTS_TRAIN_SLURM": value}, cwd=tmp_path)


def test_the_supervisor_keeps_no_token_and_no_gpu_choice_of_whoever_starts_it(tmp_path: Path) -> None:
    theirs = {"HF_TOKEN": "t", "OPENAI_API_KEY": "k", "CUDA_VISIBLE_DEVICES": "3", "TOKENIZERS_PARALLELISM": "false"}
    settings = Settings.from_environment({"TTS_TRAIN_HOME": str(tmp_path)} | theirs, cwd=tmp_path)

    kept = settings.to_shared_environment(theirs)

    assert settings.gpus == "3"  # goes with the jobs that are submitted with it
    assert kept.keys() & theirs.keys() == {"TOKENIZERS_PARALLELISM"}
    assert Settings.from_environment(kept) == replace(settings, gpus=None)
