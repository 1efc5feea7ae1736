"""Speed of training, by part of a step: ``./run.sh bench train``.

Random weights, made-up clips, one JSON object a line. Without arguments: a tiny and a 57 M-parameter model on the CPU,
each in a process of its own (peak memory), then step time over 64 and over 1,024 clips. On a GPU, the released shapes:

    ./run.sh bench train --device cuda --size 1.7b --method lora --8bit --checkpointing --batch-size 1 --seconds 10 10

With ``--upstream FOLDER`` (a copy of ``finetuning/`` of github.com/QwenLM/Qwen3-TTS), its script runs beside ours,
step by step in turn: without ``--size``, bases of about 60 M weights of both released shapes. As published, the script
ends with an error on the 0.6B's shape: it is printed, and the script measured with the fix of its open pull requests.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bench.support.memory import peak_rss_mb
from bench.support.train_step import PARTS, SIZES, Recipe, Stopwatch, Trainer, described, made_up_clips, trainer_of
from bench.support.train_upstream import beside_upstream
from jobs.qwen.devices import keep_freed_memory, limit_cpu_threads

ROOT = Path(__file__).resolve().parents[2]
WARM_UP = 2
UPSTREAM_SIZES = ("60m", "60m-0.6b")


def set_threads(asked: int | None, trainer: Trainer) -> int:
    """As many as asked for, else as many as a training job takes."""
    if asked is not None:
        torch.set_num_threads(asked)
        return asked
    return limit_cpu_threads(sum(parameter.numel() for parameter in trainer.model.parameters()))


def peak_mb(device: str) -> dict[str, int]:
    """Peak of GPU memory, or of resident memory of this process."""
    if device != "cpu":
        return {"peak_gpu_mb": torch.cuda.max_memory_allocated() // 2**20}
    return {"peak_rss_mb": peak_rss_mb()}


def steps(recipe: Recipe, n_clips: int, n_steps: int, threads: int | None) -> dict[str, Any]:
    """Time the parts of a step: medians, after a warm-up."""
    before = peak_mb("cpu")["peak_rss_mb"]
    trainer = trainer_of(recipe, n_clips)
    n_threads = set_threads(threads, trainer)
    watch = Stopwatch(recipe.device)
    frames = [trainer.step(watch) for _ in range(WARM_UP + n_steps)][WARM_UP:]
    measured = watch.steps[WARM_UP:]
    times = [sum(step.values()) for step in measured]
    whole = sum(times)
    return {
        **described(recipe, trainer),
        "threads": n_threads,
        "step_ms": round(statistics.median(times) * 1e3, 1),
        "frames_per_s": round(sum(frames) / whole, 1),
        "share": {part: round(sum(step[part] for step in measured) / whole, 4) for part in PARTS},
        "ms": {part: round(statistics.median(step[part] for step in measured) * 1e3, 1) for part in PARTS},
        "padding_share": round(trainer.sampler.padding_share(), 4),
        **peak_mb(recipe.device),
        "rss_before_mb": before,
        "losses": [round(loss, 5) for loss in (trainer.losses[0], trainer.losses[-1])],
    }


def dataset_sizes(recipe: Recipe, small: int, large: int, n_steps: int, threads: int | None) -> dict[str, Any]:
    """Step time over few and many clips, step about, all of one length so that every step is the same work."""
    recipe = replace(recipe, seconds=(6.0, 6.0))
    first = trainer_of(recipe, small)
    n_threads = set_threads(threads, first)
    clips = made_up_clips(SIZES[recipe.size], large, recipe.seconds)
    trainers = {small: first, large: Trainer(first.model, first.optimiser, clips, recipe)}
    watches = {n_clips: Stopwatch(recipe.device) for n_clips in trainers}
    for _ in range(WARM_UP + n_steps):
        for n_clips, trainer in trainers.items():
            trainer.step(watches[n_clips])
    medians = {
        n_clips: statistics.median(sum(step.values()) for step in watch.steps[WARM_UP:])
        for n_clips, watch in watches.items()
    }
    return {
        "size": recipe.size,
        "threads": n_threads,
        "step_ms": {str(n_clips): round(median * 1e3, 1) for n_clips, median in medians.items()},
        "ratio": round(medians[large] / medians[small], 3),
    }


def again(*arguments: str) -> None:
    """Run this bench in a process of its own, so that its peak memory is its own."""
    subprocess.run([sys.executable, "-m", "bench.training.train", *arguments], check=True, cwd=ROOT)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="run.sh bench train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=sorted(SIZES))
    parser.add_argument("--method", choices=("full", "lora"), default="full")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--accumulation", type=int, default=4)
    parser.add_argument("--8bit", dest="is_8bit", action="store_true", help="Adam's state in 8 bits (bitsandbytes)")
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--compile", action="store_true", help="torch.compile: the first steps take minutes")
    parser.add_argument("--packing", action="store_true")
    parser.add_argument("--predictor-share", type=float, default=1.0)
    parser.add_argument("--freeze", choices=("none", "code_predictor", "talker"), default="none")
    parser.add_argument("--seconds", type=float, nargs=2, default=(2.0, 15.0), help="shortest and longest clip")
    parser.add_argument("--clips", type=int, default=256)
    parser.add_argument("--steps", type=int, default=8, help="measured, after a warm-up of two")
    parser.add_argument("--threads", type=int, help="default: as a training job")
    parser.add_argument("--dataset-sizes", action="store_true", help="step time over 64 and over 1,024 clips")
    parser.add_argument("--upstream", type=Path, help="folder of upstream's finetuning/: run it beside ours")
    parser.add_argument("--repeat", type=int, default=3, help="runs beside upstream, for the spread")
    options = parser.parse_args()
    if options.device == "cpu":
        keep_freed_memory()  # as a training job does
    if options.size is None and options.upstream is not None:
        for size in UPSTREAM_SIZES:
            again("--size", size, *sys.argv[1:], "--upstream", str(options.upstream.resolve()))
        return
    if options.size is None:
        again("--size", "tiny")
        again("--size", "60m")
        again("--size", "tiny", "--dataset-sizes", "--steps", "40")
        return
    recipe = Recipe(
        size=options.size,
        method=options.method,
        device=options.device,
        batch_size=options.batch_size,
        accumulation=options.accumulation,
        optimiser="adamw_8bit" if options.is_8bit else "adamw",
        checkpointing=options.checkpointing,
        seconds=tuple(options.seconds),
        compile=options.compile,
        packing=options.packing,
        predicted_share=options.predictor_share,
        freeze=options.freeze,
    )
    if options.upstream is not None:
        n_threads = options.threads or torch.get_num_threads()
        torch.set_num_threads(n_threads)
        about = {"size": recipe.size, "batch_size": recipe.batch_size, "threads": n_threads}
        runs = []
        for _ in range(options.repeat):
            with tempfile.TemporaryDirectory() as name:
                run = beside_upstream(options.upstream.resolve(), recipe, Path(name), options.clips, options.steps)
            runs.append(run)
            print(json.dumps(about | run), flush=True)
        spread = {name: sorted(run[name] for run in runs) for name in ("ratio_by_cpu_time", "ratio_of_memory")}
        found = about | {"runs": len(runs)} | {
            name: {"least": ratios[0], "median": statistics.median(ratios), "most": ratios[-1]}
            for name, ratios in spread.items()
        }  # fmt: skip
    elif options.dataset_sizes:
        found = dataset_sizes(recipe, 64, 1024, options.steps, options.threads)
    else:
        found = steps(recipe, options.clips, options.steps, options.threads)
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
