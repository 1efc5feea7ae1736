"""A training that is killed with -9 at any moment goes on, and ends as if nothing had been."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from jobs.settings import PROJECT_ROOT
from jobs.training.params import Params

BOUND_S = 240


def test_killed_trainings_end_as_if_nothing_had_been(make_params: Callable[..., Params], tmp_path: Path) -> None:
    given = make_params(epochs=15, save_every_steps=1, validate_every_steps=2)
    (tmp_path / "params.json").write_text(json.dumps(given.model_dump(exclude_unset=True, exclude={"out_dir"})))

    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kills.training_kills", str(tmp_path), "5", "3"],
        cwd=PROJECT_ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=BOUND_S,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sum(found["kills"].values()) >= 5
    assert found["largest_relative_difference"] < 1e-6
