"""One reading of the environment, and the way to hand it on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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
        hub_cache=tmp_path / "hub",
        torch_cache=tmp_path / "torch",
    )

    assert Settings.from_environment(changed.to_environment({})) == changed


def test_the_project_comes_first_on_the_python_path_and_relative_parts_become_absolute(tmp_path: Path) -> None:
    settings = Settings.from_environment({}, cwd=tmp_path)

    path = settings.to_environment({"PYTHONPATH": f"plugins:{PROJECT_ROOT}"})["PYTHONPATH"]

    assert path.split(":") == [str(PROJECT_ROOT), str(Path.cwd() / "plugins")]
