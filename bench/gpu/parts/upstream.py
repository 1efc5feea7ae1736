"""Training beside upstream's script: the same rows, batch and precision, step by step in turn."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.gpu.parts.training import estimate_of, longest_of
from bench.gpu.support.case import Case, Outcome, Setting, judge, left_out
from bench.gpu.support.memory_peak import free_memory
from bench.support.train_step import Recipe
from bench.support.train_upstream import ACCUMULATION, beside_upstream

STEPS, BATCH = 4, 2
SIDES = 2  # both are in memory, and upstream's takes no less than ours
GOAL = 3.0  # times upstream's frames a second, on a GPU


def cases(setting: Setting) -> Iterator[Case]:
    """Yield a case for each size."""
    for size in setting.sizes:
        yield Case(f"{size} full, batch {BATCH}", partial(_beside, setting, size))


def _beside(setting: Setting, size: str) -> Outcome:
    if setting.upstream is None:
        return left_out("--upstream FOLDER names no copy of upstream's finetuning/.")
    recipe = Recipe(size=size, device="cuda" if setting.is_gpu else "cpu", batch_size=BATCH)
    needed = SIDES * estimate_of(setting, recipe, longest_of(recipe)).peak
    if not setting.is_gpu and needed > (free := free_memory(setting.device)):
        return left_out(f"Both sides need {needed / 1e9:.1f} GB by estimate; {free / 1e9:.1f} GB are free.")
    folder = Path(tempfile.mkdtemp(dir=setting.folder))
    found = beside_upstream(setting.upstream, recipe, folder, (STEPS + 2) * BATCH * ACCUMULATION, STEPS)
    ratio = found["ratio_by_time" if setting.is_gpu else "ratio_by_cpu_time"]
    return judge(ratio >= (GOAL if setting.is_gpu else 1.0), f"{ratio} times upstream's frames.", **found)
