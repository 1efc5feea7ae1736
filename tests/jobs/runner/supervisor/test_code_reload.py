"""The signature of the code changes with every module that a supervisor has loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jobs.runner.supervisor.code_reload import signature
from jobs.settings import PROJECT_ROOT


def test_it_covers_every_module_that_the_supervisor_loads() -> None:
    code = (
        "import sys, jobs.runner.supervisor.__main__, jobs.runner.slurm.backend\n"
        "print(*(m.__file__ for name, m in sys.modules.items() if name.startswith('jobs')), sep='\\n')"
    )
    files = subprocess.check_output([sys.executable, "-S", "-c", code], cwd=PROJECT_ROOT, text=True).splitlines()

    loaded = {Path(file).relative_to(PROJECT_ROOT / "jobs").as_posix() for file in files}
    assert "files/atomic_io.py" in loaded
    assert loaded <= {name for name, _, _ in signature()}


@pytest.mark.parametrize(
    ("name", "is_seen"), [("errors.py", True), ("runner/store/rows.py", True), ("audio/clip_io.py", False)]
)
def test_it_changes_with_the_runner_and_what_it_shares_and_not_with_the_work(
    tmp_path: Path, name: str, is_seen: bool
) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("x = 1\n")
    before = signature(tmp_path)

    (tmp_path / name).write_text("x = 1000\n")

    assert (signature(tmp_path) != before) is is_seen
