"""A shim that is killed where its record is not written yet: the state is the worker's, with its exit code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.runner import shim_kills
from tests.support.kills import shim_lines

SHIM = "jobs.runner.shim.shim"


@pytest.mark.skipif(sys.platform != "linux", reason="exit codes of orphans are Linux's")
def test_a_shim_killed_at_any_line_leaves_a_state_that_the_worker_confirms(tmp_path: Path) -> None:
    places = ["watchdog = Watchdog", "left = processes.end_tree"]
    cases = [{"module": SHIM, "line": shim_lines.line_with(SHIM, text), "hit": 1, "ends": "exit"} for text in places]

    answers = shim_kills.play(str(tmp_path), cases)

    assert [answer["false"] for answer in answers] == ["", ""]
    assert [(answer["state"], answer["exit_code"]) for answer in answers] == [("failed", 7)] * 2
