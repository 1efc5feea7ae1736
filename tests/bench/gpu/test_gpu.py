"""``./run.sh bench gpu`` where there is no GPU: answered before anything is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from jobs.settings import PROJECT_ROOT


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="this machine has nvidia-smi")
def test_without_nvidia_smi_the_command_answers_before_it_makes_an_environment(tmp_path: Path) -> None:
    done = subprocess.run(
        [PROJECT_ROOT / "run.sh", "bench", "gpu"], env={**os.environ, "TTS_TRAIN_ENVS": str(tmp_path / "envs")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "there is no nvidia-smi" in done.stderr
    assert "./run.sh bench gpu --device cpu --tiny" in done.stderr
    assert not (tmp_path / "envs").exists()


def test_a_cpu_is_measured_without_nvidia_smi(tmp_path: Path) -> None:
    done = subprocess.run(
        [PROJECT_ROOT / "run.sh", "bench", "gpu", "--device", "cpu", "--tiny", "--minutes", "0", "--out", tmp_path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0
    assert "0 good, 0 wrong" in done.stdout
