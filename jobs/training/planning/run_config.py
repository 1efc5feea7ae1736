"""Run configuration: epochs, steps, learning rate and warm-up, resolved from what the parameters leave open.

The worker trains by it and a dry run shows it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.training.data.batch_sampler import LengthBatchSampler
from jobs.training.params import Params
from jobs.training.planning.presets import default_lr
from jobs.warmup import compute_warmup

# FelysNeko/qwen3-tts-post-training, STATUS.md, full: one epoch of 1800 clips (of about 6 s: 3 hours) is good; the
# second is best by metric, the third worse. Less data gets the second.
ONE_EPOCH_FROM_HOURS = 3.0

# lora: judgement. Published are 250 to 400 clips times epochs of 250 to 1200 (geometric mean: 550 clips of about 6 s,
# 0.9 hours), from a trainer with a wrong loss, so the range is wider here.
LORA_SPEECH_HOURS = 0.9
LORA_EPOCHS = (2, 6)
MOST_EPOCHS = 1000


@dataclass(frozen=True)
class RunConfig:
    """Resolved settings of a run. Steps are optimiser steps.

    Attributes:
        epochs: over the data, unless ``max_steps`` ends the run earlier.
        lr: peak learning rate.
        warmup_steps: from zero to the peak.
    """

    epochs: int
    total_steps: int
    lr: float
    warmup_steps: int


def resolve_run_config(params: Params, sampler: LengthBatchSampler, speech_s: float) -> RunConfig:
    """Resolve the settings that the parameters leave open."""
    epochs = params.epochs or _default_epochs(params, sampler, speech_s)
    total = sampler.total_steps(epochs, params.max_steps)
    warmup = compute_warmup(total) if params.warmup_steps is None else params.warmup_steps
    return RunConfig(
        epochs=epochs,
        total_steps=total,
        lr=params.lr or default_lr(params),
        warmup_steps=min(warmup, total),
    )


def _default_epochs(params: Params, sampler: LengthBatchSampler, speech_s: float) -> int:
    """Return the epochs of a call that gives none: those for its hours, or as many as ``max_steps`` takes."""
    usual = epochs_for(params.method, speech_s / 3600)
    if params.max_steps is None:
        return usual
    needed = min(MOST_EPOCHS, math.ceil(params.max_steps / max(1, sampler.total_steps(1))))
    while needed < MOST_EPOCHS and sampler.total_steps(needed, params.max_steps) < params.max_steps:
        needed += 1  # with batch_tokens, epochs have different numbers of steps
    return max(usual, needed)


def epochs_for(method: str, hours: float) -> int:
    """Return the default number of epochs for hours of speech."""
    if method == "full":
        return 1 if hours >= ONE_EPOCH_FROM_HOURS else 2
    least, most = LORA_EPOCHS
    return max(least, min(most, round(LORA_SPEECH_HOURS / max(hours, 1e-3))))


def make_sampler(params: Params, lengths: Sequence[int], weights: Sequence[float] = ()) -> LengthBatchSampler:
    """Make the batch sampler of a run.

    Args:
        weights: of the clips, see ``weigh_clips``.
    """
    return LengthBatchSampler(
        lengths,
        batch_size=params.batch_size,
        batch_tokens=params.batch_tokens,
        micro_batches_per_step=params.gradient_accumulation_steps * params.n_processes,
        seed=params.seed,
        weights=weights,
    )
