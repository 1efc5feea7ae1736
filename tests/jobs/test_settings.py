"""One reading of the environment, and the way to hand it on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jobs.config import SearchSettings, SlurmSettings
from jobs.errors import UserError
from jobs.settings import PROJECT_ROOT, Settings


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


def _with_file(home: Path, text: str, **variables: str) -> Settings:
    (home / "config.toml").write_text(text)
    return Settings.from_environment({"TTS_TRAIN_HOME": str(home)} | variables, cwd=home)


def test_the_file_in_the_home_holds_for_everybody_and_a_variable_wins(tmp_path: Path) -> None:
    text = """
        gpu_slots = 2
        cpu_slots = 4
        disk_reserve_mb = 20
        backend = "slurm"
        [slurm]
        partition = "gpu"
        extra = ["--exclusive"]
        [slurm.path_map]
        "/home/me" = "/net/me"
    """

    settings = _with_file(tmp_path, text, TTS_TRAIN_CPU_SLOTS="1", TTS_TRAIN_GPU_SLOTS="auto")

    assert (settings.gpu_slots, settings.cpu_slots, settings.disk_reserve_bytes) == (None, 1, 20_000_000)
    assert settings.backend == "slurm"
    assert settings.slurm == SlurmSettings(
        partition="gpu", extra=("--exclusive",), path_map={"/home/me": "/net/me"}, gres="gpu:1", mem="16G"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gpu_slot = 1", "'gpu_slots'"),
        ("[slurm]\npartitions = 'gpu'", "'partition'"),
        ("[search]\nprovider = 'google'", "brave, searxng, tavily"),
        ("[search]\nprovider = 'searxng'", "address of an instance"),
        ("[search]\nurl = 'file:///etc'", "no http address"),
        ("[search]\nkey = 'secret'", "'key_env'"),
        ("cpu_slots = 'many'", "should be a whole number"),
        ("backend = 'kubernetes'", "local or slurm"),
        ("gpu_slots = 'some'", "not a number"),
        ("cpu_slots = ", "not TOML"),
    ],
)
def test_an_entry_that_is_not_known_or_does_not_fit_is_refused_with_what_was_meant(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(UserError) as refused:
        _with_file(tmp_path, text)

    assert refused.value.code == "settings_invalid"
    assert says in str(refused.value)


def test_keys_of_the_search_are_read_from_where_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[search]\nprovider = 'brave'\nkey_file = 'brave.key'\n")
    settings = Settings.from_environment({"TTS_TRAIN_HOME": str(tmp_path)}, cwd=tmp_path)

    assert settings.search == SearchSettings(provider="brave", key_file="brave.key")
    with pytest.raises(UserError, match="secret_missing"):
        settings.secret(settings.search.key_file, "")
    (tmp_path / "brave.key").write_text("the-key\n")
    assert settings.secret(settings.search.key_file, "") == "the-key"
    assert settings.secret("", "") == ""


def test_the_supervisor_keeps_no_token_and_no_gpu_choice_of_whoever_starts_it(tmp_path: Path) -> None:
    theirs = {"HF_TOKEN": "t", "OPENAI_API_KEY": "k", "CUDA_VISIBLE_DEVICES": "3", "TOKENIZERS_PARALLELISM": "false"}
    settings = Settings.from_environment({"TTS_TRAIN_HOME": str(tmp_path)} | theirs, cwd=tmp_path)

    kept = settings.to_shared_environment(theirs)

    assert settings.gpus == "3"  # goes with the jobs that are submitted with it
    assert kept.keys() & theirs.keys() == {"TOKENIZERS_PARALLELISM"}
    assert Settings.from_environment(kept) == replace(settings, gpus=None)


def test_folders_of_the_homes_configuration_are_roots(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'roots = ["{tmp_path}/books", "within"]\n')

    settings = Settings.from_environment({"TTS_TRAIN_HOME": str(tmp_path)}, cwd=tmp_path)

    assert {tmp_path / "books", tmp_path / "within"} <= set(settings.roots)
