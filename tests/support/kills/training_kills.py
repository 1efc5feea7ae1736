"""Killed trainings: ``python -m tests.support.kills.training_kills FOLDER ROUNDS SEED`` prints one JSON object.

Every round a child process starts or resumes a training and is killed with -9: at a random moment, or while it writes
a checkpoint or the export. Its files are checked; a run that ends is compared with one that was never stopped. The
children are forks, so a round needs no imports.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import bitsandbytes  # noqa: F401 (late imports of the work, as below)
import matplotlib.figure  # noqa: F401
import peft  # noqa: F401
import torch
import torch.utils.tensorboard
from safetensors.torch import load_file

from jobs.qwen.upstream import qwen_tts
from jobs.training import work
from jobs.training.params import Params
from jobs.training.run import checkpoint
from jobs.training.run_outputs import REPORT
from tests.support.training_process import QuietContext

METHODS: tuple[dict[str, Any], ...] = (
    {"method": "full"},
    {"method": "lora", "lora_r": 4, "lora_dropout": 0.1, "predictor_share": 0.5, "optimizer": "adamw_8bit"},
)
# What is being written when the child is killed: a folder, and how names of unfinished things in it begin.
AT_CHECKPOINT, AT_BEST, AT_EXPORT = ("checkpoints", ".step-"), ("checkpoints", ".best-"), ("", ".")
POLL_S = 0.0005
LONGEST_LIFE_S = 1.2
BOUND_S = 60.0


def train(params: Params, folder: Path) -> int:
    """Train in a child process; its pid."""
    pid = os.fork()
    if pid > 0:
        return pid
    code = 1
    try:
        sys.stdout = (folder / "log").open("a")
        work.run(params, QuietContext(folder))
        code = 0
    finally:
        os._exit(code)


def run_until_killed(params: Params, folder: Path, rng: random.Random) -> str:
    """Run one round. Returns the moment of the kill, or ``finished``."""
    moment = rng.choice((None, AT_CHECKPOINT, AT_BEST, AT_EXPORT))
    out = Path(params.out_dir)
    pid = train(params, folder)
    begun, life_s = time.monotonic(), rng.uniform(0.05, LONGEST_LIFE_S)
    n_to_pass = rng.randrange(6)  # not always the first checkpoint of a life
    was_there = False
    while True:
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            return "finished"
        lived_s = time.monotonic() - begun
        if moment is None:
            is_time = lived_s > life_s
        else:
            is_there = is_being_written(out / moment[0], moment[1])
            n_to_pass -= is_there and not was_there
            is_time, was_there = is_there and n_to_pass < 0, is_there
        if is_time:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return "at random" if moment is None else f"writing {'/'.join(moment)}"
        if lived_s > BOUND_S:
            raise TimeoutError(f"a round took more than {BOUND_S} s")
        time.sleep(POLL_S)


def is_being_written(folder: Path, beginning: str) -> bool:
    """True while something unfinished of that name is in a folder."""
    with contextlib.suppress(FileNotFoundError):
        return any(
            name.startswith(beginning) and name.endswith(".tts-train-new")
            for name in (path.name for path in folder.iterdir())
        )
    return False


def check_what_is_left(params: Params, out: Path) -> None:
    """The newest checkpoint loads, whatever was being written; a voice is whole or not there."""
    folder = out / "checkpoints"
    for path in sorted(folder.glob("step-*"))[-1:]:
        state = torch.load(path / "state.pt", map_location="cpu", weights_only=True)
        assert len(state["history"]["steps"]) == state["step"]
    for path in folder.glob("best-*.pt"):
        torch.load(path, map_location="cpu", weights_only=True)
    voice = out / "voice"
    if voice.exists():
        assert (voice / "config.json").is_file()
        assert (voice / "tts_train.json").is_file()
        load_file(voice / "model.safetensors")


def differs(one: Path, other: Path) -> float:
    """Largest difference of two voices' weights, relative to the largest weight of the tensor."""
    weights, others = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    assert weights.keys() == others.keys()
    return max(float((others[name] - w).abs().max() / w.abs().max().clamp(min=1e-12)) for name, w in weights.items())


def main(folder: Path, n_rounds: int, seed: int) -> dict[str, Any]:
    """Kill, look, go on, until there were so many kills and the last run is finished."""
    torch.set_num_threads(1)
    qwen_tts()  # what the work imports late is imported once, here
    given = json.loads((folder / "params.json").read_text())
    rng = random.Random(seed)
    references: dict[str, Path] = {}
    for method in METHODS:
        out = folder / f"straight-{method['method']}"
        with contextlib.redirect_stdout(sys.stderr):
            assert os.waitpid(train(Params(**given, **method, out_dir=str(out)), folder), 0)[1] == 0
        references[method["method"]] = out / "voice"
    kills: Counter[str] = Counter()
    worst, n_runs = 0.0, 0
    while sum(kills.values()) < n_rounds:
        method = METHODS[n_runs % len(METHODS)]
        out = folder / f"killed-{n_runs}"
        params = Params(**given, **method, out_dir=str(out))
        while (ended := run_until_killed(params, folder, rng)) != "finished":
            kills[ended] += 1
            check_what_is_left(params, out)
        result = json.loads((out / REPORT).read_text())["result"]
        worst = max(worst, differs(references[method["method"]], Path(result["voice"])))
        assert not list((out).glob(".*.tts-train-new")), "left-overs"
        kept = checkpoint.newest(out / "checkpoints", {})
        assert kept is not None
        assert kept.step == result["steps"]
        n_runs += 1
    return {"kills": dict(kills), "finished_runs": n_runs, "largest_relative_difference": worst}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))) + "\n")
