"""Commands of our own in Slurm's place, and an attempt to hand over."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from jobs.runner.slurm.slurm_cli import SlurmCli
from jobs.runner.store import JobRow
from jobs.settings import Settings

DOWN = "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1"
JOB = "add-20260101-000000-0001"


class FakeSlurm:
    """Shell scripts named like Slurm's commands; each call is noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("sbatch", "squeue", "scancel"):
            self.answer(name, "true")

    def answer(self, name: str, script: str) -> None:
        """What a command does from now on."""
        file = self.folder / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.folder}/calls"\n{script}\n')
        file.chmod(0o755)

    def calls(self, name: str) -> list[str]:
        """The arguments that a command was called with."""
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]

    def commands(self, timeout_s: float = 5.0, silence_s: float = 0.0) -> SlurmCli:
        """The adapter that calls them."""
        return SlurmCli({"PATH": f"{self.folder}:/usr/bin:/bin"}, timeout_s=timeout_s, silence_s=silence_s)


@pytest.fixture
def fake(tmp_path: Path) -> FakeSlurm:
    """Slurm's place."""
    return FakeSlurm(tmp_path / "bin")


@pytest.fixture
def row(settings: Settings) -> JobRow:
    """An attempt that is to be handed over."""
    document = {"job_id": JOB, "params": {"clip": "/here/clip.wav"}, "settings": {"envs": str(settings.envs)}}
    return JobRow(
        seq=1, id=JOB, kind="add", spec_hash="", fingerprint=None, document=json.dumps(document), resource="gpu",
        environment="ml", state="starting", attempt=1, tries=0, max_tries=3, cancel=0, exit_code=None, reason=None,
        detail="", result=None, failure=None, created_at=time.time(), started_at=None, ended_at=None,
    )  # fmt: skip
