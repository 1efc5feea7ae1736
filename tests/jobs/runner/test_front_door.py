"""Names that the runner's package exports."""

from __future__ import annotations

import subprocess
import sys

import pytest

from jobs import runner
from jobs.settings import PROJECT_ROOT


def test_the_front_door_exports_its_names() -> None:
    assert {getattr(runner, name).__name__ for name in runner.__all__} == set(runner.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = runner.nothing


def test_the_package_loads_nothing_else_until_a_name_is_used() -> None:
    program = "import sys, jobs.runner; print([name for name in sys.modules if name.startswith('jobs.runner.')])"

    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "[]\n"
