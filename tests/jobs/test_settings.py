"""One reading of the environment, and the way to hand it on."""

from __future__ import annotations

import os
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


def test_a_folder_with_a_colon_in_its_name_is_one_root_for_children_too(tmp_path: Path) -> None:
    """As ``book:~`` it would be the person's home besides, as ``a:/etc`` the system's settings."""
    folder, within = tmp_path / "book:~", tmp_path / "a:" / "etc"
    for made in (folder, within):
        made.mkdir(parents=True)

    settings = Settings.from_environment({"TTS_TRAIN_HOME": str(tmp_path / "home")}, cwd=folder)
    wider = replace(settings, roots=(*settings.roots, within))
    again = Settings.from_environment(wider.to_environment({}))

    assert again.roots == wider.roots
    assert {folder, within} < set(again.roots)
    assert not {Path.home(), Path("/etc"), tmp_path / "book"} & set(again.roots)


def test_a_variable_names_one_folder_several_or_a_list(tmp_path: Path) -> None:
    (tmp_path / "book:~").mkdir()
    own = Settings.from_environment({}, cwd=tmp_path).roots

    def roots(value: str) -> list[str]:
        settings = Settings.from_environment({"TTS_TRAIN_ROOTS": value}, cwd=tmp_path)
        return [str(root) for root in settings.roots if root not in own]

    assert roots(f"{tmp_path}/book:~") == [f"{tmp_path}/book:~"]
    assert roots("/a:/b") == ["/a", "/b"]
    assert roots('["/a:/b", "/c"]') == ["/a:/b", "/c"]
    with pytest.raises(UserError, match="settings_invalid: TTS_TRAIN_ROOTS"):
        roots('["/a"')


def test_the_project_comes_first_on_the_python_path_and_relative_parts_become_absolute(tmp_path: Path) -> None:
    settings = Settings.from_environment({}, cwd=tmp_path)

    path = settings.to_environment({"PYTHONPATH": f"plugins:{PROJECT_ROOT}"})["PYTHONPATH"]

    assert path.split(":") == [str(PROJECT_ROOT), str(Path.cwd() / "plugins")]


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    settings = Settings.from_environment({"TTS_TRAIN_HOME": str(tmp_path)}, cwd=tmp_path)

    with pytest.raises(UserError, match="secret_missing"):
        settings.secret("brave.key", "")
    (tmp_path / "brave.key").write_text("the-key\n")
    with pytest.raises(UserError, match="secret_exposed"):
        settings.secret("brave.key", "")
    (tmp_path / "brave.key").chmod(0o600)
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
    theirs = {"HF_TOKEN": "t", "OPENAI_API_KEY": "k", "CUDA_VISIBLE_DEVICES": "3", "TOKENIZERS_PARALLELISM": "false",
              "NAMED_BY_KEY_ENV": "k", "GITHUB_PAT": "g", "BRAVE_KEY": "b"}  # fmt: skip
    settings = Settings.from_environment({"TTS_TRAIN_HOME": str(tmp_path)} | theirs, cwd=tmp_path)

    kept = settings.to_shared_environment(theirs)

    assert settings.gpus == "3"  # goes with the jobs that are submitted with it
    assert kept.keys() & theirs.keys() == {"TOKENIZERS_PARALLELISM"}
    assert Settings.from_environment(kept) == replace(settings, gpus=None)


@pytest.mark.parametrize("name", ["../theirs", "/theirs", "", "ml/../../theirs"])
def test_an_interpreter_is_that_of_a_known_environment(tmp_path: Path, name: str) -> None:
    settings = Settings(tmp_path, tmp_path / "envs", (tmp_path,))

    with pytest.raises(ValueError, match="no environment"):
        settings.python(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
@pytest.mark.parametrize(
    "theirs", ["envs", "envs/ml", "envs/ml/bin", "envs/ml/bin/python", "envs/ml/lib/python3.11/site-packages"]
)
def test_an_environment_that_another_user_could_change_is_refused(tmp_path: Path, theirs: str) -> None:
    settings = Settings(tmp_path / "home", tmp_path / "envs", (tmp_path,))
    (settings.envs / "ml" / "bin").mkdir(parents=True)
    (settings.envs / "ml" / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    (settings.envs / "ml" / "bin" / "python").touch(mode=0o755)
    assert settings.python("ml") == settings.envs / "ml" / "bin" / "python"

    os.chown(tmp_path / theirs, 12345, 12345)

    with pytest.raises(UserError, match=f"owner_untrusted: {tmp_path / theirs}") as refused:
        settings.python("ml")
    assert "TTS_TRAIN_ENVS" in refused.value.hint
