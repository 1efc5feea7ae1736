"""Which clips go into which forward pass: a pure function of seed and epoch, so that a run can be resumed anywhere.

Every process of a run deals alike and takes its own passes. Light: the standard library alone, so that a dry run can
count steps.
"""

from __future__ import annotations

import bisect
import random
from collections.abc import Sequence
from typing import TypeAlias

# Clips are sorted by length within a shuffled stretch of this many batches: little padding, still a random order.
BATCHES_PER_STRETCH = 16

Pass: TypeAlias = list[int]
"""Indices of the clips of one forward pass."""


class Dealer:
    """Deals a run's clips into passes of similar length, each clip once an epoch, and passes into optimiser steps.

    Args:
        lengths: positions of each clip's sequence.
        batch_size: clips of a pass at most.
        batch_tokens: positions of a pass at most, padding included (a longer clip is alone); then ``batch_size``
            does not bind.
        passes_per_step: accumulated passes times processes; the last step of an epoch may have fewer.
        seed: of the run.
    """

    def __init__(
        self, lengths: Sequence[int], *, batch_size: int, batch_tokens: int | None, passes_per_step: int, seed: int
    ) -> None:
        self._lengths = lengths
        self._batch_size, self._batch_tokens = batch_size, batch_tokens
        self._passes_per_step, self._seed = passes_per_step, seed
        self._starts = [0]  # first step of every epoch that was dealt so far, and of the next
        self._dealt: tuple[int, list[list[Pass]]] = (-1, [])

    def epoch(self, number: int) -> list[list[Pass]]:
        """The optimiser steps of an epoch, from 0; every epoch deals anew."""
        if self._dealt[0] != number:
            passes = self._passes(random.Random(f"{self._seed}/{number}"))
            size = self._passes_per_step
            self._dealt = (number, [passes[first : first + size] for first in range(0, len(passes), size)])
        return self._dealt[1]

    def total_steps(self, epochs: int, most: int | None = None) -> int:
        """Optimiser steps of a run; at most ``most``."""
        if self._batch_tokens is None:
            total = len(self.epoch(0)) * epochs
        else:  # how many passes an epoch needs depends on its order
            while len(self._starts) <= epochs and (most is None or self._starts[-1] < most):
                self._deal_next()
            total = self._starts[-1]
        return total if most is None else min(total, most)

    def locate(self, step: int) -> tuple[int, int]:
        """Epoch of a step (from 0) and its place in it."""
        while self._starts[-1] <= step:
            self._deal_next()
        epoch = bisect.bisect_right(self._starts, step) - 1
        return epoch, step - self._starts[epoch]

    def passes_of(self, step: int) -> list[Pass]:
        """The forward passes of a step (from 0)."""
        epoch, place = self.locate(step)
        return self.epoch(epoch)[place]

    def ends_epoch(self, step: int) -> int | None:
        """The number of epochs that are done after ``step`` steps, if the last of them was an epoch's last."""
        epoch, place = self.locate(step - 1)
        return epoch + 1 if place == len(self.epoch(epoch)) - 1 else None

    def padding_share(self, epoch: int = 0) -> float:
        """Share of the positions of an epoch's passes that hold padding, 0 to 1."""
        passes = [indices for step in self.epoch(epoch) for indices in step]
        padded = sum(len(indices) * max(self._lengths[clip] for clip in indices) for indices in passes)
        return 1 - sum(self._lengths) / padded

    def _deal_next(self) -> None:
        n_steps = len(self.epoch(0)) if self._batch_tokens is None else len(self.epoch(len(self._starts) - 1))
        self._starts.append(self._starts[-1] + n_steps)

    def _passes(self, dice: random.Random) -> list[Pass]:
        order = list(range(len(self._lengths)))
        dice.shuffle(order)
        passes: list[Pass] = []
        stretch = self._clips_per_pass() * BATCHES_PER_STRETCH
        for first in range(0, len(order), stretch):
            passes += self._cut(sorted(order[first : first + stretch], key=lambda clip: self._lengths[clip]))
        dice.shuffle(passes)
        return passes

    def _clips_per_pass(self) -> int:
        if self._batch_tokens is None:
            return self._batch_size
        return max(1, self._batch_tokens * len(self._lengths) // sum(self._lengths))

    def _cut(self, clips: list[int]) -> list[Pass]:
        """Cut clips, which lie in order of length, into passes."""
        if self._batch_tokens is None:
            return [clips[start : start + self._batch_size] for start in range(0, len(clips), self._batch_size)]
        passes: list[Pass] = [[]]
        for clip in clips:
            if passes[-1] and (len(passes[-1]) + 1) * self._lengths[clip] > self._batch_tokens:
                passes.append([])
            passes[-1].append(clip)
        return passes


def in_order(lengths: Sequence[int], batch_size: int) -> list[Pass]:
    """Passes for scoring: clips by length, nothing shuffled."""
    order = sorted(range(len(lengths)), key=lambda clip: lengths[clip])
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
