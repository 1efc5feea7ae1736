"""A run of released size on a CPU, time and memory by stage: ``./run.sh bench full_size --size 0.6b --method lora``.

Random weights of the released shape, made-up clips, a few steps, export. Each stage's peak of resident memory is its
own; the estimate of the dry run stands beside it. One JSON object a line. ``full`` trains as a released base is trained
by default: the code predictor is frozen.

    size, method   memory     free disk in the temporary folder
    0.6b lora       8.0 GB     5 GB
    0.6b full      10.9 GB    24 GB
    1.7b lora      15 GB      10 GB
    1.7b full      31 GB      72 GB

Memory of 0.6b is measured; that of 1.7b and the disk are the plan's. The two steps of 0.6b lora take 30 CPU-seconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.support.memory import peak_rss_mb
from jobs.settings import PROJECT_ROOT, Settings
from jobs.training.data.manifest_scan import scan_manifest
from jobs.training.params import Params
from jobs.training.planning.disk import plan_disk
from jobs.training.planning.memory_fit import estimate_run_memory, find_model_dims

SIZES = ("tiny", "60m", "0.6b", "1.7b")


class StageContext:
    """A job's context that measures its stages: each lasts until the next message of progress."""

    job_id = "bench"

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.peak_mb = 0
        self._stage, self._last = "start", (time.perf_counter(), time.process_time())

    def progress(self, done: float, total: float | None = None, message: str = "", **metrics: float) -> None:
        """End a stage where the message changes."""
        if message != self._stage:
            self.end_stage()
            self._stage = message

    def end_stage(self) -> None:
        """Print the figures of the stage and begin the next."""
        now, peak_mb = (time.perf_counter(), time.process_time()), peak_rss_mb()
        row = {
            "stage": self._stage, "s": round(now[0] - self._last[0], 1), "cpu_s": round(now[1] - self._last[1], 1),
            "peak_rss_gb": round(peak_mb * 2**20 / 1e9, 2),
        }  # fmt: skip
        print(json.dumps(row), flush=True)
        self.peak_mb, self._last = max(self.peak_mb, peak_mb), now
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins again

    def publish(self, name: str, path: Path, kind: str) -> str:
        """Publish nothing."""
        return name

    def raise_if_cancelled(self) -> None:
        """Go on."""


def prepare(folder: Path, size: str, seconds: float, n_clips: int) -> None:
    """Write base and clips, in a process of its own, whose memory is gone when it ends."""
    import torch

    from bench.support.train_step import Recipe
    from bench.support.train_upstream import write_base, write_rows

    write_base(folder / "base", size, torch.bfloat16)
    write_rows(folder, Recipe(size=size, seconds=(seconds, seconds)), n_clips)


def run(folder: Path, params: Params) -> None:
    """Train, and compare with the estimate."""
    from jobs.training import work

    (folder / "job").mkdir()
    settings = Settings(home=folder / "home", envs=folder, roots=(folder,), hub_cache=folder, torch_cache=folder)
    context = StageContext(folder / "job", settings)
    result = work.run(params, context)
    context.end_stage()
    dims = find_model_dims(params.base_model, settings)
    assert dims is not None
    clips = [clip.size for clip in scan_manifest(Path(params.manifest)).clips]
    estimate = estimate_run_memory(params, dims, clips, "cpu")
    measured = context.peak_mb * 2**20
    row = {
        "peak_rss_gb": round(measured / 1e9, 2), "estimated_gb": round(estimate.peak / 1e9, 2), "at": estimate.moment,
        "measured_of_estimated": round(measured / estimate.peak, 3), "disk": plan_disk(params, dims, settings),
        "voice_gb": round((Path(result.voice) / "model.safetensors").stat().st_size / 1e9, 2),
    }  # fmt: skip
    print(json.dumps(row), flush=True)


def main() -> None:
    """Prepare and run."""
    parser = argparse.ArgumentParser(
        prog="run.sh bench full_size", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="0.6b")
    parser.add_argument("--method", choices=("full", "lora"), default="lora")
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of every clip")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        prepare(options.prepare, options.size, options.seconds, options.batch_size * options.steps)
        return
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "bench.training.full_size", "--prepare", name, "--size", options.size]
        numbers = ["--seconds", str(options.seconds), "--steps", str(options.steps)]
        numbers += ["--batch-size", str(options.batch_size)]
        subprocess.run([*command, *numbers], cwd=PROJECT_ROOT, check=True)
        run(Path(name), Params(
            manifest=f"{name}/rows.jsonl", base_model=f"{name}/base", out_dir=f"{name}/out", method=options.method,
            batch_size=options.batch_size, max_steps=options.steps, epochs=1, samples=0, early_stop=0, speaker="bench",
            freeze="code_predictor" if options.method == "full" else None,
        ))  # fmt: skip


if __name__ == "__main__":
    main()
