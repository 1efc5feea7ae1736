"""The processes of a run: who we are, on which device, and sums over all. One process is a team of one.

Every process holds the whole model and takes its share of a step's forward passes. Losses are divided by the counts of
the whole step, so summed gradients are the gradient of one process that had made all passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from jobs.errors import UserError
from jobs.qwen.devices import compute_device

# Gradients travel in pieces of this many numbers: a copy of all of them at once would not fit beside the model.
NUMBERS_PER_PIECE = 16_000_000


@dataclass(frozen=True)
class Team:
    """The processes of a run, seen from one of them.

    Attributes:
        rank: ours, from 0; the first one writes.
        size: how many there are.
        device: where our model lies.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @classmethod
    def gather(cls, n_processes: int) -> Team:
        """Meet the other processes (started by torchrun); NCCL on GPUs, gloo on CPUs.

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
                f"n_processes is {n_processes}, and {state.num_processes} processes run.",
                "Start it with start_training, which starts them all.",
            )
        if has_gpus and torch.cuda.device_count() <= state.local_process_index:
            raise UserError(
                "too_few_gpus",
                f"n_processes is {n_processes}; this machine lends the job {torch.cuda.device_count()} GPUs.",
                f"Use n_processes={torch.cuda.device_count()}.",
            )
        device = f"cuda:{state.local_process_index}" if has_gpus else "cpu"
        return cls(state.process_index, state.num_processes, device)

    @property
    def is_first(self) -> bool:
        """True for the process that writes files."""
        return self.rank == 0

    def add_up(self, numbers: torch.Tensor) -> torch.Tensor:
        """Replace numbers by their sums over all processes."""
        if self.size > 1:
            torch.distributed.all_reduce(numbers)
        return numbers

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their sums over all processes; a missing gradient counts as zero."""
        if self.size == 1:
            return
        for piece in _pieces(parameters):
            gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in piece]
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            torch.distributed.all_reduce(flat)
            sums = torch.split(flat, [gradient.numel() for gradient in gradients])
            for parameter, gradient, total in zip(piece, gradients, sums, strict=True):
                parameter.grad = total.view_as(gradient)

    def wait_for_all(self) -> None:
        """Go on when every process has come here."""
        if self.size > 1:
            torch.distributed.barrier()


def _pieces(parameters: Iterable[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    piece: list[nn.Parameter] = []
    n_numbers = 0
    for parameter in parameters:
        if piece and n_numbers + parameter.numel() > NUMBERS_PER_PIECE:
            yield piece
            piece, n_numbers = [], 0
        piece.append(parameter)
        n_numbers += parameter.numel()
    if piece:
        yield piece
