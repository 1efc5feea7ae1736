"""Division of a model's layers among the processes of a run (FSDP), so that several small GPUs train a large model.

torch's ``fully_shard`` divides weights, gradients and optimizer state of the talker's layers, most of the model.
A layer is whole only while it computes; the other weights stay whole in every process. ``RunWeights`` hides both:
optimizer, average and clipping see ordinary tensors, checkpoints and exports whole ones.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

from jobs.qwen.devices import torch_dtype
from jobs.qwen.precision import Precision
from jobs.training.run.checkpoint import Checkpoint
from jobs.training.run.checkpoint_checks import MOMENTS
from jobs.training.run.distributed import DistributedGroup
from jobs.training.run.optimizer import clip_gradients, trainable


def shard_layers(model: Any, group: DistributedGroup, precision: Precision) -> None:
    """Divide the talker's layers among the processes, in place; their parameters become ``DTensor``."""
    # It imports torch's compiler, 0.9 CPU-seconds that a run of one process does without.
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    talker = model.talker.model
    mesh = init_device_mesh(torch.device(group.device).type, (group.size,))
    # Whole layers are in the format of the arithmetic; autocast would keep copies of them for the backward pass.
    policy = MixedPrecisionPolicy(
        param_dtype=torch_dtype(precision), reduce_dtype=torch.float32, cast_forward_inputs=False
    )
    for layer in talker.layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
        layer.set_gradient_divide_factor(1.0)  # losses are divided by the counts of the whole step already
        layer.set_force_sum_reduction_for_comms(True)  # gloo averages wrongly (torch 2.8)
    whole = {parameter for parameter in talker.parameters() if not isinstance(parameter, DTensor)}
    fully_shard(talker, mesh=mesh, ignored_params=whole)
    first = torch.zeros(1, 1, talker.config.hidden_size, dtype=torch_dtype(precision), device=group.device)
    with torch.no_grad():  # the first pass gives parts of unequal size their final place in memory
        talker(inputs_embeds=first, use_cache=False)


class RunWeights:
    """Trained weights of a run.

    Attributes:
        own: by name, this process's part of a divided weight, or the weight itself.
    """

    def __init__(self, model: nn.Module, group: DistributedGroup) -> None:
        self._group, self._named = group, trainable(model)
        self.own: dict[str, nn.Parameter] = {
            name: nn.Parameter(each.to_local().detach()) if isinstance(each, DTensor) else each
            for name, each in self._named.items()
        }

    def sum_gradients(self) -> None:
        """Sum gradients over all processes; those of divided layers are summed already, and move to ``own``."""
        whole = []
        for name, parameter in self._named.items():
            if not isinstance(parameter, DTensor):
                whole.append(parameter)
            elif isinstance(parameter.grad, DTensor):
                self.own[name].grad, parameter.grad = parameter.grad.to_local(), None
        self._group.sum_gradients(whole)

    def clip_gradients(self, max_norm: float) -> float:
        """Scale gradients so that the norm of all of them is at most ``max_norm``, and return the norm before."""
        parts = [own for name, own in self.own.items() if isinstance(self._named[name], DTensor)]
        if not parts:
            return clip_gradients(self.own.values(), max_norm)
        squares = [
            nn.utils.get_total_norm([each.grad for each in some if each.grad is not None]).to(self._group.device) ** 2
            for some in (parts, [own for name, own in self.own.items() if self._named[name] is own])
        ]
        norm = (self._group.sum_over_processes(squares[0]) + squares[1]).sqrt()
        nn.utils.clip_grads_with_norm_(self.own.values(), max_norm, norm)
        return float(norm)

    def gather(self, tensors: Mapping[str, torch.Tensor] | None = None) -> dict[str, torch.Tensor]:
        """Return whole weights in place of own parts, in the first process alone; all of them call it.

        Args:
            tensors: numbers of the same shapes, by name, instead of the weights.
        """
        own = self.own if tensors is None else tensors
        return {name: self._whole(tensor.detach(), self._named[name]) for name, tensor in own.items()}

    def gather_state(self, optimiser: torch.optim.Optimizer, *, empty: bool = False) -> dict[str, Any]:
        """Return the whole state of the optimizer, as of one process; all processes call it.

        Args:
            empty: its settings only.
        """
        found, numbered = optimiser.state_dict(), self._by_number(optimiser)
        if empty:
            return {**found, "state": {}}
        state = {
            number: {
                key: self._whole(value, numbered[number]) if key in MOMENTS else value for key, value in entries.items()
            }
            for number, entries in found["state"].items()
        }
        return {**found, "state": state}

    def take(self, tensors: Any) -> Any:
        """Return the own parts of whole tensors; what does not fit stays as it is, for the checks of a checkpoint."""
        if not isinstance(tensors, dict):
            return tensors
        return {name: _part(tensor, self._named.get(name), self._group.rank) for name, tensor in tensors.items()}

    def take_checkpoint(self, found: Checkpoint, optimiser: torch.optim.Optimizer) -> Checkpoint:
        """Return a checkpoint with the own parts of its tensors."""
        numbered, rank, saved = self._by_number(optimiser), self._group.rank, found.optimiser
        if isinstance(saved, dict) and isinstance(saved.get("state"), dict):
            state = {
                number: {key: _part(value, numbered.get(number), rank) for key, value in entries.items()}
                if isinstance(entries, dict)
                else entries
                for number, entries in saved["state"].items()
            }
            saved = {**saved, "state": state}
        return replace(found, weights=self.take(found.weights), ema=self.take(found.ema), optimiser=saved)

    def _by_number(self, optimiser: torch.optim.Optimizer) -> dict[int, nn.Parameter]:
        """Return the model's parameters by their numbers in the optimizer's state."""
        names = {id(own): name for name, own in self.own.items()}
        owned = [own for group in optimiser.param_groups for own in group["params"]]
        return {number: self._named[names[id(own)]] for number, own in enumerate(owned)}

    def _whole(self, own: torch.Tensor, parameter: nn.Parameter) -> torch.Tensor:
        if not isinstance(parameter, DTensor):
            return own
        divided = DTensor.from_local(
            own, parameter.device_mesh, parameter.placements, shape=parameter.shape, stride=parameter.stride()
        )
        whole = divided.full_tensor()
        return whole.cpu() if self._group.is_first else own  # one at a time: a small GPU cannot hold them together


def _part(tensor: Any, parameter: nn.Parameter | None, rank: int) -> Any:
    """Return a process's rows of a tensor, as ``fully_shard`` divides them."""
    if not isinstance(parameter, DTensor) or not isinstance(tensor, torch.Tensor) or tensor.shape != parameter.shape:
        return tensor
    rows = torch.chunk(tensor, parameter.device_mesh.size())
    return rows[rank] if rank < len(rows) else tensor[:0]
