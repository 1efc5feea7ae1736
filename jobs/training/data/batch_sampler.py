"""Batch sampler: a function of seed and epoch, so that a run can be resumed at any step.

Every process of a run computes the same order and takes its own micro-batches. Standard library only, so that a dry run
can count steps.
"""

import bisect
import math
import random
from collections.abc import Sequence
from typing import TypeAlias

# Clips are sorted by length within shuffled chunks of this many batches: little padding, and still a random order.
BATCHES_PER_CHUNK = 16

MicroBatch: TypeAlias = list[int]
"""Indices of the clips of one forward pass."""


class LengthBatchSampler:
    """Length-bucketed batch sampler: groups clips of similar length, each clip once per epoch.

    Args:
        lengths: positions of each clip's sequence.
        batch_tokens: most positions of a micro-batch, padding included, instead of ``batch_size``. A longer clip is a
            micro-batch of its own.
        micro_batches_per_step: accumulated micro-batches times processes; the last step of an epoch may have fewer.
        weights: how often an epoch has each clip, on average over the epochs; empty: once.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        *,
        batch_size: int,
        batch_tokens: int | None,
        micro_batches_per_step: int,
        seed: int,
        weights: Sequence[float] = (),
    ) -> None:
        self._lengths, self._weights = lengths, weights
        self._batch_size, self._batch_tokens = batch_size, batch_tokens
        self._micro_batches_per_step, self._seed = micro_batches_per_step, seed
        self._is_even = batch_tokens is None and not weights  # all epochs have equally many micro-batches
        self._starts = [0]  # first step of every epoch that was sampled so far, and of the next
        self._cached_epoch: tuple[int, list[list[MicroBatch]]] = (-1, [])

    def epoch(self, number: int) -> list[list[MicroBatch]]:
        """Return the optimiser steps of an epoch, counted from 0; every epoch has its own order."""
        if self._cached_epoch[0] != number:
            rng = random.Random(f"{self._seed}/{number}")
            micro_batches = self._sample(self._draw(number), rng)
            size = self._micro_batches_per_step
            steps = [micro_batches[first : first + size] for first in range(0, len(micro_batches), size)]
            self._cached_epoch = (number, steps)
        return self._cached_epoch[1]

    def total_steps(self, epochs: int, most: int | None = None) -> int:
        """Count the optimiser steps of a run, at most ``most``."""
        if self._is_even:
            total = len(self.epoch(0)) * epochs
        else:  # the number of micro-batches of an epoch depends on its order
            while len(self._starts) <= epochs and (most is None or self._starts[-1] < most):
                self._start_next_epoch()
            total = self._starts[min(epochs, len(self._starts) - 1)]
        return total if most is None else min(total, most)

    def locate(self, step: int) -> tuple[int, int]:
        """Return the epoch of a step and the step's index within it, all counted from 0."""
        while self._starts[-1] <= step:
            self._start_next_epoch()
        epoch = bisect.bisect_right(self._starts, step) - 1
        return epoch, step - self._starts[epoch]

    def micro_batches_of(self, step: int) -> list[MicroBatch]:
        """Return the micro-batches of a step, counted from 0."""
        epoch, index = self.locate(step)
        return self.epoch(epoch)[index]

    def padding_share(self, epoch: int = 0) -> float:
        """Compute the share of an epoch's positions that hold padding, 0 to 1."""
        micro_batches = [indices for step in self.epoch(epoch) for indices in step]
        padded = sum(len(indices) * max(self._lengths[clip] for clip in indices) for indices in micro_batches)
        return 1 - sum(self._lengths[clip] for indices in micro_batches for clip in indices) / padded

    def _start_next_epoch(self) -> None:
        n_steps = len(self.epoch(0)) if self._is_even else len(self.epoch(len(self._starts) - 1))
        self._starts.append(self._starts[-1] + n_steps)

    def _draw(self, epoch: int) -> list[int]:
        """Draw the clips of an epoch: after any number of epochs each came as often as its weight says, within one."""
        if not self._weights:
            return list(range(len(self._lengths)))
        rng = random.Random(f"{self._seed}/weights")
        drawn = []
        for clip, weight in enumerate(self._weights):
            start = rng.random()
            drawn += [clip] * (math.floor(weight * (epoch + 1) + start) - math.floor(weight * epoch + start))
        return drawn or [max(range(len(self._weights)), key=lambda clip: self._weights[clip])]

    def _sample(self, order: list[int], rng: random.Random) -> list[MicroBatch]:
        rng.shuffle(order)
        micro_batches: list[MicroBatch] = []
        chunk = self._clips_per_micro_batch() * BATCHES_PER_CHUNK
        for first in range(0, len(order), chunk):
            micro_batches += self._cut(sorted(order[first : first + chunk], key=lambda clip: self._lengths[clip]))
        rng.shuffle(micro_batches)
        return micro_batches

    def _clips_per_micro_batch(self) -> int:
        if self._batch_tokens is None:
            return self._batch_size
        return max(1, self._batch_tokens * len(self._lengths) // sum(self._lengths))

    def _cut(self, clips: list[int]) -> list[MicroBatch]:
        """Cut clips, sorted by length, into micro-batches."""
        if self._batch_tokens is None:
            return [clips[start : start + self._batch_size] for start in range(0, len(clips), self._batch_size)]
        micro_batches: list[MicroBatch] = [[]]
        for clip in clips:
            if micro_batches[-1] and (len(micro_batches[-1]) + 1) * self._lengths[clip] > self._batch_tokens:
                micro_batches.append([])
            micro_batches[-1].append(clip)
        return micro_batches


def scoring_batches(lengths: Sequence[int], batch_size: int) -> list[MicroBatch]:
    """Group clips for scoring: sorted by length, not shuffled."""
    order = sorted(range(len(lengths)), key=lambda clip: lengths[clip])
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
