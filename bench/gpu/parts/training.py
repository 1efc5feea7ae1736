"""Training steps: speed, and peak memory beside the dry run's estimate; a run that stops and goes on."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from bench.gpu.support.case import Case, Outcome, Setting, judge, left_out
from bench.gpu.support.memory_peak import MemoryPeak, free_memory
from bench.support.train_step import SIZES, Recipe, Stopwatch, made_up_clips, precision_of, trainer_of
from bench.support.train_upstream import write_base, write_rows
from jobs.codec_format import FRAMES_PER_SECOND
from jobs.qwen.devices import keep_freed_memory
from jobs.runner.worker.context import Cancelled
from jobs.settings import Settings
from jobs.training import work
from jobs.training.params import Params
from jobs.training.planning import memory
from tests.support.null_context import NullContext

STEPS, WARM_UP = 4, 1
STEPS_ON_CPU = 1  # a step of a released size takes minutes
WITHIN = 0.1  # of the estimate
# name, method, optimiser, checkpointing, clips a batch
RECIPES = (
    ("lora", "lora", "adamw", False, 2),
    ("lora, recomputed", "lora", "adamw", True, 4),
    ("full, 8-bit, recomputed", "full", "adamw_8bit", True, 4),
    ("full, paged 8-bit, recomputed", "full", "paged_adamw_8bit", True, 4),
    ("full", "full", "adamw", False, 4),
)
GPU_ONLY = ("paged_adamw_8bit",)


def cases(setting: Setting) -> Iterator[Case]:
    """Yield a case for each size and recipe, and one for a run that is stopped."""
    yield Case("stopped and continued", partial(_continued, setting))
    for size in setting.sizes:
        for name, method, optimiser, checkpointing, n_clips in RECIPES:
            if optimiser in GPU_ONLY and not setting.is_gpu:
                continue
            recipe = Recipe(
                size=size, method=method, device=setting.device, batch_size=n_clips, accumulation=1,
                optimiser=optimiser, checkpointing=checkpointing, seconds=(10.0, 10.0),
                freeze="code_predictor" if method == "full" else "none",
            )  # fmt: skip
            yield Case(f"{size} {name}, {n_clips} clips of 10 s", partial(measure_steps, setting, recipe))


def measure_steps(setting: Setting, recipe: Recipe) -> Outcome:
    """Train some steps and compare their peak with the estimate."""
    if not setting.is_gpu:
        keep_freed_memory(recomputes=True)  # what an earlier case has freed is no part of this one
    peak = MemoryPeak(setting.device)
    peak.start()
    planned, free = estimate_of(setting, recipe, longest_of(recipe)), free_memory(setting.device)
    if planned.peak > free:
        return left_out(f"It needs {planned.peak / 1e9:.1f} GB by estimate; {free / 1e9:.1f} GB are free.")
    n_steps = WARM_UP + (STEPS if setting.is_gpu or setting.tiny else STEPS_ON_CPU)
    try:
        trainer = trainer_of(recipe, recipe.batch_size * 2)
        watch = Stopwatch(recipe.device)
        frames = [trainer.step(watch) for _ in range(n_steps)][WARM_UP:]
    except torch.OutOfMemoryError:
        return judge(False, f"The memory ran out, though the estimate is {planned.peak / 1e9:.1f} GB.")
    seconds = sum(sum(step.values()) for step in watch.steps[WARM_UP:])
    allocated, used = peak.allocated(), peak.used()
    expected = planned
    # what is there before any tensor is as the estimate has it: earlier cases ran in this process
    own = expected.parts.get("process", 0.0)
    ratio = (own + peak.added()) / (expected.peak - expected.parts.get("cuda context", 0.0))
    return judge(
        ratio <= 1 + WITHIN, f"The peak is {ratio:.2f} of the estimate, {expected.moment}.",
        frames_per_s=round(sum(frames) / seconds, 1), real_time=round(sum(frames) / FRAMES_PER_SECOND / seconds, 2),
        format=precision_of(recipe).format, peak_gb=round(allocated / 1e9, 3), device_used_gb=round(used / 1e9, 3),
        estimated_gb=round(expected.peak / 1e9, 3), ratio=round(ratio, 3), is_within_a_tenth=abs(ratio - 1) <= WITHIN,
    )  # fmt: skip


def longest_of(recipe: Recipe) -> int:
    """Return the positions of the longest clip, all clips being as long as the longest."""
    return made_up_clips(SIZES[recipe.size], 1, (recipe.seconds[1],) * 2)[0].length


def estimate_of(setting: Setting, recipe: Recipe, width: int) -> memory.MemoryEstimate:
    """Estimate as the dry run does. Steps only: models are made where they compute, without loading a file."""
    device: memory.Device = "cpu"
    if setting.is_gpu:
        device = "cuda_float32" if precision_of(recipe).format == "float32" else "cuda"
    wanted = memory.Recipe(
        method=recipe.method, optimizer=recipe.optimiser, gradient_checkpointing=recipe.checkpointing,
        lora_r=recipe.lora_r, freeze=recipe.freeze,
    )  # fmt: skip
    frames = round(recipe.seconds[1] * FRAMES_PER_SECOND) * recipe.batch_size
    largest = memory.MicroBatchSize(recipe.batch_size, width, frames, frames)
    return memory.estimate_step(SIZES[recipe.size], wanted, largest, device)


class _StopAfter(NullContext):
    """A job's context that cancels after a number of reports of progress."""

    def __init__(self, folder: Path, settings: Settings, n_reports: int | None) -> None:
        super().__init__(folder)
        self.settings, self.left = settings, n_reports

    def raise_if_cancelled(self) -> None:
        """Raise at the wanted step."""
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Cancelled


def _continued(setting: Setting) -> Outcome:
    """Train a toy in one go, and stopped after some steps and called again."""
    folder = Path(tempfile.mkdtemp(dir=setting.folder))
    base = write_base(folder / "base", "tiny", torch.float32)
    manifest = write_rows(folder, Recipe(size="tiny", seconds=(1.0, 2.0)), 16)
    settings = Settings(home=folder / "home", envs=folder, roots=(folder,), hub_cache=folder, torch_cache=folder)
    digests, n_stopped = {}, 0
    runs: list[tuple[str, list[int | None]]] = [("whole", [None]), ("stopped", [4, None])]
    if setting.is_gpu:  # sums of a GPU may have another order each time
        runs.append(("again", [None]))
    for name, stops in runs:
        (folder / name).mkdir()
        params = Params(
            manifest=str(manifest), base_model=str(base), out_dir=str(folder / name / "out"), batch_size=2,
            gradient_accumulation_steps=1, max_steps=6, epochs=1, save_every_steps=2, samples=0, speaker="bench",
            validation_share=0.0,
        )  # fmt: skip
        for n_reports in stops:
            try:
                result = work.run(params, _StopAfter(folder / name, settings, n_reports))
            except Cancelled:
                n_stopped += 1
                continue
            weights = (Path(result.voice) / "model.safetensors").read_bytes()
            digests[name] = hashlib.sha256(weights).hexdigest()[:16]
    same = n_stopped == 1 and digests["whole"] == digests["stopped"]
    if n_stopped == 1 and not same and digests.get("again", digests["whole"]) != digests["whole"]:
        return Outcome("measured", "Two runs without a stop differ, too: this card's sums have no order.", digests)
    return judge(same, "The weights are the same to the bit." if same else "The weights differ.", **digests)
