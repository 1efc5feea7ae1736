"""Presets on cards of their size: the allocator may take no more than the card has, clips are of 30 s.

A card that is smaller than the one at hand is imitated by the allocator's limit; the CUDA context is outside of it, so
the limit is the card's memory less what the context takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from bench.gpu.parts.training import WITHIN, estimate_of, longest_of
from bench.gpu.support.case import Case, Outcome, Setting, judge, left_out
from bench.gpu.support.memory_peak import MemoryPeak, free_memory
from bench.support.train_step import Recipe, Stopwatch, trainer_of
from jobs.errors import UserError
from jobs.qwen.devices import gpu_memory_explained
from jobs.training.params import Params
from jobs.training.planning.cheaper_settings import check_fits
from jobs.training.planning.memory import CUDA_CONTEXT
from jobs.training.planning.memory_fit import CARD_RESERVE, REPORTED_SHARE, MemoryBudget, assumed_clips
from jobs.training.planning.model_dims import RELEASED
from jobs.training.planning.presets import preset_gib, preset_settings

CARDS = ("8gb", "12gb", "16gb", "24gb")
CLIP_S = 30.0


def cases(setting: Setting) -> Iterator[Case]:
    """Yield a case for each size and card, and one for a card that is too small."""
    for size in setting.sizes:
        for card in CARDS:
            yield Case(f"{size} on {card}", partial(_fits, setting, size, card))
    yield Case("what cannot fit is refused with what fits", _refused)
    yield Case("a full GPU is recognised", partial(_too_small, setting))


def recipe_of(setting: Setting, size: str, card: str) -> Recipe:
    """The preset as a recipe of the bench."""
    chosen: dict[str, Any] = preset_settings(card, is_small=size != "1.7b", given={})
    optimiser = chosen.get("optimizer", "adamw")
    return Recipe(
        size=size, method=chosen["method"], device=setting.device, batch_size=chosen["batch_size"],
        accumulation=chosen.get("gradient_accumulation_steps", 1), checkpointing=chosen["gradient_checkpointing"],
        optimiser="adamw_8bit" if optimiser == "paged_adamw_8bit" and not setting.is_gpu else optimiser,
        freeze="code_predictor" if chosen["method"] == "full" else "none", seconds=(CLIP_S, CLIP_S),
    )  # fmt: skip


def _fits(setting: Setting, size: str, card: str) -> Outcome:
    recipe = recipe_of(setting, size, card)
    limit = preset_gib(card) * REPORTED_SHARE * 2**30 - CUDA_CONTEXT
    if setting.is_gpu:
        total = torch.cuda.get_device_properties(setting.device).total_memory
        if limit > total:
            return left_out(f"This GPU is smaller than {card}.")
        torch.cuda.set_per_process_memory_fraction(limit / total, setting.device)
    expected, free = estimate_of(setting, recipe, longest_of(recipe)).peak, free_memory(setting.device)
    if not setting.is_gpu and expected > free:
        return left_out(f"On a CPU it needs {expected / 1e9:.1f} GB by estimate; {free / 1e9:.1f} GB are free.")
    peak = MemoryPeak(setting.device)
    peak.start()
    try:
        trainer = trainer_of(recipe, recipe.batch_size * recipe.accumulation)
        watch = Stopwatch(recipe.device)
        frames = [trainer.step(watch) for _ in range(2)]
    except torch.OutOfMemoryError:
        return judge(
            False, f"The preset {card} does not fit a card of its name.", limit_gb=round(limit / 1e9, 2),
            estimated_gb=round(expected / 1e9, 2),
        )  # fmt: skip
    finally:
        if setting.is_gpu:
            torch.cuda.set_per_process_memory_fraction(1.0, setting.device)
    allocated = peak.allocated()
    ratio = (allocated + CUDA_CONTEXT * setting.is_gpu) / expected
    return judge(
        allocated <= limit, f"Two steps of {recipe.method} training fit.", peak_gb=round(allocated / 1e9, 2),
        limit_gb=round(limit / 1e9, 2), estimated_gb=round(expected / 1e9, 2), ratio=round(ratio, 3),
        is_within_a_tenth=abs(ratio - 1) <= WITHIN, batch_size=recipe.batch_size,
        frames_per_s=round(frames[1] / sum(watch.steps[1].values()), 1),
    )  # fmt: skip


def _refused() -> Outcome:
    """Plan full training of the 1.7B, with AdamW in 32 bits, for a card of 16 GB."""
    params = Params(
        manifest="rows.jsonl", base_model="Qwen/Qwen3-TTS-12Hz-1.7B-Base", out_dir="out", method="full",
        optimizer="adamw", batch_size=4, speaker="bench",
    )  # fmt: skip
    total = preset_gib("16gb") * 2.0**30
    card = MemoryBudget("cuda", "a GPU of 16 GB", total, total - CARD_RESERVE, is_here=False)
    try:
        check_fits(params, RELEASED["1.7b"], assumed_clips(CLIP_S, 4), card)
    except UserError as error:
        names_a_change = error.code == "memory_too_small" and error.hint.startswith("Give ")
        return judge(names_a_change, f"{error} {error.hint}", code=error.code)
    return judge(False, "The plan says that it fits.")


def _too_small(setting: Setting) -> Outcome:
    if not setting.is_gpu:
        return left_out("A CPU has no limit of its own: the system ends the process.")
    torch.cuda.set_per_process_memory_fraction(0.01, setting.device)
    try:
        with gpu_memory_explained("batch_size"):
            torch.empty(2**32, device=setting.device)
    except UserError as error:
        return judge(error.code == "cuda_oom", str(error), code=error.code)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, setting.device)
    return judge(False, "16 GB were given although the limit is a hundredth of the card.")
