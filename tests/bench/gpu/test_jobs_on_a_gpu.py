"""Jobs for one GPU in ``./run.sh bench gpu``, with a driver's program that a test has written."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.gpu.support.case import Setting
from bench.gpu.support.jobs_on_a_gpu import take_turns, wait_for_a_stranger

UUID = "GPU-00000000-0000-4000-8000-000000000000"


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    """A machine with a GPU, on which process 4242 computes while there is a file ``used``."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\ncase \"$*\" in\n-L) echo 'GPU 0: Some (UUID: {UUID})' ;;\n"
        f"*compute-apps*) [ ! -e {tmp_path}/used ] || echo '{UUID}, 4242' ;;\nesac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return Setting("cpu", tiny=True, folder=tmp_path)


def test_two_jobs_take_turns(setting: Setting) -> None:
    found = take_turns(setting)

    assert found.verdict == "good"
    assert "the other was queued" in found.says


def test_a_job_waits_for_a_stranger_and_says_for_which(setting: Setting) -> None:
    used = setting.folder / "used"
    holding = (
        f"import sys, pathlib; used = pathlib.Path({str(used)!r}); used.touch(); print('held', flush=True); "
        "sys.stdin.read(); used.unlink()"
    )

    found = wait_for_a_stranger(setting, holding)

    assert (found.verdict, "process 4242 uses" in found.says) == ("good", True), found.says


def test_a_job_that_does_not_wait_for_a_stranger_is_found(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.gpu.support.jobs_on_a_gpu.PATIENCE_S", 3.0)

    found = wait_for_a_stranger(setting, "import sys; print('hides', flush=True); sys.stdin.read()")

    assert found.verdict == "wrong"
    assert "no reason was given" in found.says
