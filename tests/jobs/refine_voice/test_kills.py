"""A loop that is killed where it hurts finishes the same: the short form of ``./run.sh bench refine_kills``."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.refine_voice.params import Params
from jobs.refine_voice.spec import KIND
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from tests.support.kills.job_killer import Killer, run_with_kills
from tests.support.kills.refine_trees import differences, what_was_left

BOUND_S = 900.0  # the machine may be busy


def test_a_loop_killed_twice_leaves_what_an_undisturbed_one_leaves(
    live_settings: Settings, make: Callable[..., Params], tmp_path: Path
) -> None:
    runner = Runner(live_settings)
    given: dict[str, Any] = {"zero_shot": False, "max_iterations": 1, "texts": ["the fox ran home"]}
    whole = runner.wait(runner.submit(KIND, make(**given, out_dir=str(tmp_path / "whole"))).job.job_id, BOUND_S)
    assert whole.state == "succeeded", whole
    assert whole.ended_at is not None
    assert whole.started_at is not None
    killer = Killer(live_settings.home, random.Random(3))
    job_id = runner.submit(KIND, make(**given, out_dir=str(tmp_path / "killed"))).job.job_id

    job = run_with_kills(runner, job_id, killer, 2, (whole.ended_at - whole.started_at) / 2, BOUND_S)

    assert job.state == "succeeded", job
    assert killer.killed.total() >= 1
    left = what_was_left(tmp_path / "whole")
    assert {"final_model/model.safetensors", "evaluations/iteration_1/eval_00.wav", "round 1"} <= set(left)
    assert differences(left, what_was_left(tmp_path / "killed")) == []
