"""What a run's parameters leave open, resolved: epochs, steps, learning rate, warm-up. Light: no torch.

The one definition; the worker trains by it and a dry run shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.training.data.batch_sampler import Dealer
from jobs.training.params import Params

# full: the best controlled recipe with an aligned loss (FelysNeko/qwen3-tts-post-training, STATUS.md). lora: judgement,
# no LoRA figure was ever published from a trainer with an aligned loss.
DEFAULT_LR = {"full": 5e-6, "lora": 1e-5}

# The same source: 50 are better than 20, 100 add nothing. A tenth of the run at most, or a short one never learns.
MOST_WARMUP_STEPS = 50
WARMUP_SHARE = 10

# The same source, full: one epoch of 1800 clips (of about 6 s: 3 hours) is solid; the second is best by metric, the
# third worse. Less data gets the second.
ONE_EPOCH_FROM_HOURS = 3.0

# lora: judgement. Clips times epochs of 250 to 1200 (geometric mean: 550 clips of about 6 s, 0.9 hours), published as
# 250 to 400 under a wrong loss, so taken wider.
LORA_HOURS_HEARD = 0.9
LORA_EPOCHS = (2, 6)


@dataclass(frozen=True)
class Resolved:
    """Steps are optimiser steps.

    Attributes:
        epochs: passes over the data, unless ``max_steps`` ends the run before.
        total_steps: of the run.
        lr: peak learning rate.
        warmup_steps: from nothing to the peak.
    """

    epochs: int
    total_steps: int
    lr: float
    warmup_steps: int


def resolve(params: Params, dealer: Dealer, speech_s: float) -> Resolved:
    """Resolve what the parameters leave open.

    Args:
        params: of the run.
        dealer: of the clips that are learnt.
        speech_s: seconds of speech that are learnt.
    """
    epochs = params.epochs or epochs_for(params.method, speech_s / 3600)
    total = dealer.total_steps(epochs, params.max_steps)
    warmup = min(MOST_WARMUP_STEPS, total // WARMUP_SHARE) if params.warmup_steps is None else params.warmup_steps
    return Resolved(
        epochs=epochs,
        total_steps=total,
        lr=params.lr or DEFAULT_LR[params.method],
        warmup_steps=min(warmup, total),
    )


def epochs_for(method: str, hours: float) -> int:
    """Epochs by hours of speech."""
    if method == "full":
        return 1 if hours >= ONE_EPOCH_FROM_HOURS else 2
    least, most = LORA_EPOCHS
    return max(least, min(most, round(LORA_HOURS_HEARD / max(hours, 1e-3))))


def make_dealer(params: Params, lengths: Sequence[int]) -> Dealer:
    """The dealer of a run.

    Args:
        params: of the run.
        lengths: positions of each clip's sequence.
    """
    return Dealer(
        lengths,
        batch_size=params.batch_size,
        batch_tokens=params.batch_tokens,
        passes_per_step=params.gradient_accumulation_steps * params.n_processes,
        seed=params.seed,
    )
