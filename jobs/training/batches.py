"""Which clips go into which forward pass: a pure function of seed and epoch, so that a run can be resumed anywhere."""

from __future__ import annotations

import random
from collections.abc import Sequence

# Clips are sorted by length within a shuffled stretch of this many batches: little padding, still a random order.
BATCHES_PER_STRETCH = 16


def epoch_batches(lengths: Sequence[int], batch_size: int, *, seed: int, epoch: int) -> list[list[int]]:
    """Deal clips into batches of similar length, each clip once.

    Args:
        lengths: positions of each clip's sequence.
        batch_size: clips of a batch; the last may be smaller.
        seed: of the run.
        epoch: from 0; every epoch deals anew.
    """
    dice = random.Random(f"{seed}/{epoch}")
    order = list(range(len(lengths)))
    dice.shuffle(order)
    stretch = batch_size * BATCHES_PER_STRETCH
    batches: list[list[int]] = []
    for first in range(0, len(order), stretch):
        near = sorted(order[first : first + stretch], key=lambda clip: lengths[clip])
        batches += [near[start : start + batch_size] for start in range(0, len(near), batch_size)]
    dice.shuffle(batches)
    return batches


def optimiser_steps(batches: Sequence[list[int]], accumulation: int) -> list[list[list[int]]]:
    """Group batches into optimiser steps; the last group of an epoch may be smaller."""
    return [list(batches[first : first + accumulation]) for first in range(0, len(batches), accumulation)]


def steps_per_epoch(n_clips: int, batch_size: int, accumulation: int) -> int:
    """Optimiser steps of one epoch."""
    stretch = batch_size * BATCHES_PER_STRETCH
    full, rest = divmod(n_clips, stretch)
    n_batches = full * BATCHES_PER_STRETCH + -(-rest // batch_size)
    return -(-n_batches // accumulation)
