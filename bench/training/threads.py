"""Training steps in one and two threads beside a busy neighbour: ``./run.sh bench threads``.

Waiting threads spin (OpenMP's default) or sleep (as the runner starts workers). Each measurement is a process of its
own on two cores, with a neighbour that computes on one of them all the time. One JSON object a line, then the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from jobs.runner.shim.shim import SLEEPING_THREADS

ROOT = Path(__file__).resolve().parents[2]
WAYS = (("one thread", 1, False), ("two threads, spinning", 2, False), ("two threads, sleeping", 2, True))
BUSY = "while True: pass"


def steps(size: str, n_threads: int, n_steps: int) -> None:
    """Make steps and print seconds and CPU seconds of each, without the first."""
    import torch

    from bench.support.train_step import Recipe, Stopwatch, trainer_of

    torch.set_num_threads(n_threads)
    trainer, watch = trainer_of(Recipe(size=size, accumulation=1), 16), Stopwatch("cpu")
    found = []
    for _ in range(1 + n_steps):
        began, cpu = time.perf_counter(), time.process_time()
        trainer.step(watch)
        found.append((time.perf_counter() - began, time.process_time() - cpu))
    print(json.dumps(found[1:]))


def measure(size: str, n_threads: int, sleeps: bool, n_steps: int) -> tuple[float, float]:
    """Run ``steps`` in a process; returns the median seconds and CPU seconds of a step."""
    environment = {
        name: value for name, value in os.environ.items() if name not in {*SLEEPING_THREADS, "OMP_NUM_THREADS"}
    }
    environment |= SLEEPING_THREADS if sleeps else {}
    command = [sys.executable, "-m", "bench.training.threads", "--steps-of", str(n_threads), "--size", size]
    done = subprocess.run(
        [*command, "--steps", str(n_steps)], env=environment, cwd=ROOT, check=True, capture_output=True, text=True
    )
    rows = json.loads(done.stdout)
    return statistics.median(row[0] for row in rows), statistics.median(row[1] for row in rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="run.sh bench threads", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="20m")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--steps-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.steps_of:
        steps(options.size, options.steps_of, options.steps)
        return
    cores = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cores)
    neighbour = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        os.sched_setaffinity(neighbour.pid, cores[:1])
        seconds = {}
        for name, n_threads, sleeps in WAYS:
            seconds[name], cpu_seconds = measure(options.size, n_threads, sleeps, options.steps)
            row = {"way": name, "step_s": round(seconds[name], 2), "step_cpu_s": round(cpu_seconds, 2)}
            print(json.dumps(row), flush=True)
    finally:
        neighbour.kill()
        neighbour.wait()
    alone = seconds["one thread"]
    print(json.dumps({"of one thread's time": {name: round(value / alone, 2) for name, value in seconds.items()}}))


if __name__ == "__main__":
    main()
