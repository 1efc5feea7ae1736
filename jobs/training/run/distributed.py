"""Processes of a distributed run: rank, device, and sums over all processes. A single process is a group of one.

Every process has the whole model and takes its share of a step's micro-batches. Losses are divided by the counts of
the whole step, so the sum of the gradients equals the gradient of a single process with all micro-batches.

The optimizer's state may be divided among the processes (ZeRO stage 1). torch's ``ZeroRedundancyOptimizer`` does the
same, but to save it a GPU has to hold all of it at once, which is what a small one cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from jobs.errors import UserError
from jobs.qwen.devices import compute_device

T = TypeVar("T", bound=torch.Tensor)

MOMENTS = ("exp_avg", "exp_avg_sq")  # of AdamW, per weight

# Gradients are summed in chunks of this many numbers, because a copy of all of them might not fit.
CHUNK_SIZE = 16_000_000


@dataclass(frozen=True)
class DistributedGroup:
    """Processes of a run, as one of them sees them.

    Attributes:
        rank: of this process, from 0; the first one writes files.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @classmethod
    def join(cls, n_processes: int) -> DistributedGroup:
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
        return cls(state.process_index, state.num_processes, device)

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

    def barrier(self) -> None:
        """Wait until every process has called this."""
        if self.size > 1:
            torch.distributed.barrier()


def _chunks(parameters: Iterable[T]) -> Iterator[list[T]]:
    chunk: list[T] = []
    n_numbers = 0
    for parameter in parameters:
        if chunk and n_numbers + parameter.numel() > CHUNK_SIZE:
            yield chunk
            chunk, n_numbers = [], 0
        chunk.append(parameter)
        n_numbers += parameter.numel()
    if chunk:
        yield chunk


class ShardedAdamW(torch.optim.AdamW):
    """AdamW that keeps and updates the state of this process's share of the weights alone, and sends it the others'.

    Each weight has one owner. The result is that of AdamW in every process, because weights are updated one by one.
    """

    def __init__(self, groups: list[dict[str, Any]], *, group: DistributedGroup, **settings: Any) -> None:
        super().__init__(groups, **settings)
        self._group = group
        self._weights = [weight for each in self.param_groups for weight in each["params"]]
        self._owners = divide_weights([weight.numel() for weight in self._weights], group.size)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update the own weights and exchange all; gradients of the others are dropped, which spares their state."""
        assert closure is None
        for weight, owner in zip(self._weights, self._owners, strict=True):
            if owner != self._group.rank:
                weight.grad = None
        super().step()
        for owner in range(self._group.size):
            for chunk in _chunks(self._owned_by(owner)):
                flat = torch.cat([weight.flatten() for weight in chunk])
                torch.distributed.broadcast(flat, src=owner)
                parts = torch.split(flat, [weight.numel() for weight in chunk])
                for weight, part in zip(chunk, parts, strict=True):
                    weight.copy_(part.view_as(weight))

    def gather_state(self) -> dict[str, Any]:
        """Return the state of all weights in main memory of the first process, as AdamW alone would have it.

        All processes call it; the others get their own share.
        """
        found = self.state_dict()
        own = next(iter(found["state"].values()), None)
        if own is None:  # before the first step
            return found
        for number, (weight, owner) in enumerate(zip(self._weights, self._owners, strict=True)):
            if owner == self._group.rank != 0:
                for name in MOMENTS:
                    torch.distributed.send(found["state"][number][name], 0)
            elif self._group.is_first:
                moments = found["state"].get(number, {})
                for name in MOMENTS:
                    moments[name] = self._receive(moments.get(name), weight, owner)
                # a copy, because one tensor for all would be counted up once for each weight after it is loaded
                found["state"][number] = {"step": own["step"].clone(), **moments}
        return {**found, "state": dict(sorted(found["state"].items()))}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the own share of a state of all weights."""
        state = {n: held for n, held in state_dict["state"].items() if self._owners[n] == self._group.rank}
        super().load_state_dict({**state_dict, "state": state})

    def _owned_by(self, rank: int) -> list[torch.Tensor]:
        return [weight for weight, owner in zip(self._weights, self._owners, strict=True) if owner == rank]

    def _receive(self, own: torch.Tensor | None, weight: torch.Tensor, owner: int) -> torch.Tensor:
        if own is None:
            own = torch.empty_like(weight)
            torch.distributed.recv(own, owner)
        return own.cpu()


def divide_weights(sizes: Sequence[int], n_processes: int) -> list[int]:
    """Return the owner of each weight: the largest first, to whom has least so far."""
    totals, owners = [0] * n_processes, [0] * len(sizes)
    for number in sorted(range(len(sizes)), key=lambda n: (-sizes[n], n)):
        owners[number] = min(range(n_processes), key=lambda rank: (totals[rank], rank))
        totals[owners[number]] += sizes[number]
    return owners


def gather_state(optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the whole state of an optimizer in the first process; all processes call it."""
    return optimiser.gather_state() if isinstance(optimiser, ShardedAdamW) else optimiser.state_dict()
