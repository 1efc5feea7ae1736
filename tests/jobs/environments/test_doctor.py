"""The doctor names what is missing, what it costs and the command that gets it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.environments.doctor import check_torch, examine, main, render
from jobs.environments.environment_state import LOCKS
from jobs.settings import Settings
from jobs.trust import landlock


@pytest.fixture
def bare(tmp_path: Path) -> Settings:
    settings = Settings.from_environment({"TTS_TRAIN_HOME": str(tmp_path / "home")}, cwd=tmp_path)
    return replace(settings, envs=tmp_path / "envs", hub_cache=tmp_path / "hub", torch_cache=tmp_path / "torch")


def test_a_missing_environment_comes_with_its_cost_and_command(bare: Settings) -> None:
    found = {finding.name: finding for finding in examine(bare)}

    assert found["environment ml"].state == "missing"
    assert "MB to download" in found["environment ml"].cost
    assert found["environment ml"].fix == "./run.sh setup ml"
    assert "./run.sh setup ml" in render(list(found.values()))


def test_the_build_of_torch_is_said_with_what_another_would_change(bare: Settings, tmp_path: Path) -> None:
    environment = bare.envs / "ml"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").touch()
    (environment / ".installed.lock").write_bytes((LOCKS / "ml.lock").read_bytes())
    asked = replace(bare, torch_index="https://mirror.example/cpu")

    locked, chosen, cost = (
        check_torch(bare, False),
        check_torch(replace(asked, envs=tmp_path / "none"), False),
        check_torch(bare, True),
    )
    (environment / ".installed.build").write_text("cpu\nhttps://mirror.example/cpu\n")
    with_gpu = check_torch(bare, True)

    assert (locked.state, cost.state, with_gpu.state) == ("info", "ok", "info")
    assert "4.7 GB" in locked.detail
    assert "TTS_TRAIN_TORCH_INDEX" in locked.fix
    assert chosen.detail == "set-up takes the build for a CPU"
    assert "a GPU is here" in with_gpu.detail


def test_weights_in_the_cache_are_seen(bare: Settings) -> None:
    snapshot = bare.hub_cache / "models--Qwen--Qwen3-TTS-12Hz-0.6B-Base" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").touch()

    found = {finding.name: finding.state for finding in examine(bare)}

    assert found["weights Qwen/Qwen3-TTS-12Hz-0.6B-Base"] == "ok"
    assert found["weights Qwen/Qwen3-TTS-12Hz-1.7B-Base"] == "info"


def test_folders_of_tools_and_how_to_add_one_are_named(bare: Settings) -> None:
    found = {finding.name: finding for finding in examine(bare)}

    assert all(str(root) in found["folders"].detail for root in bare.roots)
    assert "TTS_TRAIN_ROOTS" in found["folders"].detail
    assert found["sharing"].state in ("ok", "info")


def test_a_full_disk_is_missing_space(bare: Settings) -> None:
    found = {finding.name: finding for finding in examine(replace(bare, disk_reserve_bytes=10**18))}

    assert found["disk"].state == "missing"
    assert "TTS_TRAIN_HOME" in found["disk"].fix


def test_the_sandbox_is_told_as_the_kernel_and_the_settings_have_it(bare: Settings) -> None:
    on, off = (
        next(finding for finding in examine(settings) if finding.name == "sandbox")
        for settings in (bare, replace(bare, sandbox=False))
    )

    version = landlock.version()
    assert (on.state, on.detail) == (
        ("ok", f"on: jobs write only their own folder and outputs (Landlock {version})")
        if version
        else ("info", "off: this kernel has no Landlock, so jobs write wherever you can")
    )
    assert (off.state, off.fix) == ("info", "remove sandbox = false from config.toml")


def test_json_is_one_object_and_a_missing_environment_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TTS_TRAIN_ENVS", str(tmp_path))

    code = main(["--json"])

    assert code == 1
    assert json.loads(capsys.readouterr().out)["ready"] is False


def test_a_faulty_configuration_is_one_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TTS_TRAIN_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text("cpu_slot = 1\n")

    assert main([]) == 2
    assert capsys.readouterr().err.startswith("settings_invalid: ")
