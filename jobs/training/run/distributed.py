"""Processes of a distributed run: rank, device, and sums over all processes. A single process is a group of one.

Every process has the whole model, or its part of it (``sharding``), and takes its share of a step's micro-batches.
Losses are divided by the counts of the whole step, so the sum of the gradients equals the gradient of a single process
with all micro-batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from jobs.errors import UserError
from jobs.qwen.devices import compute_device

Item = TypeVar("Item")

# Gradients are summed in chunks of this many numbers, because a copy of all of them might not fit.
CHUNK_SIZE = 16_000_000


@dataclass(frozen=True)
class DistributedGroup:
    """Processes of a run, as one of them sees them.

    Attributes:
        rank: of this process, from 0; the first one writes files.
        is_sharded: the processes divide the model's layers, so all of them make equally many passes.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"
    is_sharded: bool = False

    @classmethod
    def join(cls, n_processes: int, *, is_sharded: bool = False) -> DistributedGroup:
        """Join the other processes, which torchrun starts; NCCL on GPUs, gloo on CPUs.

        Raises:
            UserError: ``too_few_gpus`` or ``processes_missing``.
        """
        if n_processes == 1:
            return cls(device=compute_device())
        from accelerate import PartialState

        has_gpus = torch.cuda.is_available()
        state = PartialState(cpu=not has_gpus)
        if state.num_processes != n_processes:
            raise UserError(
                "processes_missing",
                f"n_processes is {n_processes}, but {state.num_processes} processes run.",
                "Start it with start_training, which starts them all.",
            )
        if has_gpus and torch.cuda.device_count() <= state.local_process_index:
            raise UserError(
                "too_few_gpus",
                f"n_processes is {n_processes}, but the job has {torch.cuda.device_count()} GPUs.",
                f"Use n_processes={torch.cuda.device_count()}.",
            )
        device = f"cuda:{state.local_process_index}" if has_gpus else "cpu"
        return cls(state.process_index, state.num_processes, device, is_sharded)

    @property
    def is_first(self) -> bool:
        """True for the process that writes files."""
        return self.rank == 0

    def sum_over_processes(self, numbers: torch.Tensor) -> torch.Tensor:
        """Sum numbers over all processes, in place."""
        if self.size > 1:
            torch.distributed.all_reduce(numbers)
        return numbers

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sum gradients over all processes, in place; a missing gradient counts as zero."""
        if self.size == 1:
            return
        for chunk in _chunks(parameters):
            gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in chunk]
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            torch.distributed.all_reduce(flat)
            sums = torch.split(flat, [gradient.numel() for gradient in gradients])
            for parameter, gradient, total in zip(chunk, gradients, sums, strict=True):
                parameter.grad = total.view_as(gradient)

    def share(self, items: Sequence[Item]) -> Iterator[tuple[int, Item, bool]]:
        """Yield this process's items with their numbers; False: none is left, the last one is repeated."""
        for first in range(0, len(items), self.size):
            number = first + self.rank
            if number < len(items):
                yield number, items[number], True
            elif self.is_sharded:
                yield len(items) - 1, items[-1], False

    def barrier(self) -> None:
        """Wait until every process has called this."""
        if self.size > 1:
            torch.distributed.barrier()


def _chunks(parameters: Iterable[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    chunk: list[nn.Parameter] = []
    n_numbers = 0
    for parameter in parameters:
        if chunk and n_numbers + parameter.numel() > CHUNK_SIZE:
            yield chunk
            chunk, n_numbers = [], 0
        chunk.append(parameter)
        n_numbers += parameter.numel()
    if chunk:
        yield chunk
