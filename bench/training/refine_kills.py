"""Benchmark of ``refine_voice`` under kill -9: ``./run.sh bench refine_kills [--kills 20] [--rounds 2] [--seed N]``.

A toy is refined once undisturbed, and once while the loop, its child jobs, their shims and the supervisor are killed at
random moments. Files, decisions, ratings, takes and weights must be equal. Exit code 1 if they are not.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from jobs.rate_samples.anchors import read_bundled_voice
from jobs.refine_voice.params import Params
from jobs.refine_voice.spec import KIND
from jobs.runner.client.runner import Runner
from tests.support.kills.job_killer import Killer, run_with_kills
from tests.support.kills.refine_trees import differences, what_was_left
from tests.support.temporary_home import home_in
from tests.support.toy import training_data

BOUND_S = 7200.0
TEXT = "the fox ran home with the dog"


def main(argv: Sequence[str] | None = None) -> int:
    """Refine twice and compare."""
    parser = argparse.ArgumentParser(prog="run.sh bench refine_kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name, home_in(Path(name)) as settings:
        folder, runner, begun = Path(name), Runner(settings), time.monotonic()
        base, manifest = (
            training_data.make_base(folder / "base"),
            training_data.write_manifest(folder, read_bundled_voice()),
        )
        whole = runner.wait(runner.submit(KIND, _params(base, manifest, options.rounds, "whole")).job.job_id, BOUND_S)
        took_s = time.monotonic() - begun
        assert whole.state == "succeeded", whole
        print(f"undisturbed: {took_s:.0f} s, {len(runner.list(limit=100)) - 1} children", flush=True)
        killer = Killer(settings.home, random.Random(options.seed))
        job_id = runner.submit(KIND, _params(base, manifest, options.rounds, "killed")).job.job_id
        job = run_with_kills(runner, job_id, killer, options.kills, took_s / options.kills, BOUND_S)
        print(f"killed {sum(killer.killed.values())} times: {dict(killer.killed)}")
        print(f"the killed loop: {job.state} in attempt {job.attempt}, {time.monotonic() - begun - took_s:.0f} s")
        if job.state != "succeeded":
            print(job.failure or job.detail)
            return 1
        left = what_was_left(folder / "whole"), what_was_left(folder / "killed")
        differing = differences(*left)
        print(f"{len(left[0])} things compared (files, decisions, ratings, takes, weights); {len(differing)} differ")
        for line in differing:
            print(f"  {line}")
        all_killed = sum(killer.killed.values()) >= options.kills
        return 0 if not differing and all_killed else 1


def _params(base: Path, manifest: Path, rounds: int, name: str) -> Params:
    return Params.model_validate({
        "manifest": str(manifest), "base_model": str(base), "out_dir": str(manifest.parent / name), "texts": [TEXT],
        "steps_per_iteration": 2, "max_iterations": rounds, "quality_threshold": 4.5, "takes_per_text": 1,
        "anchor_clips": 0, "training": {"lr": 1e-3, "batch_size": 4, "save_every_steps": 1},
    })  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
