"""Forward passes of one process: batches on its device, and predictions in its number format."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from jobs.qwen.devices import torch_dtype
from jobs.qwen.precision import Precision
from jobs.qwen.train.loss import LossSums, loss_sums, predict
from jobs.qwen.train.packing import pack
from jobs.qwen.train.sequence_layout import Batch, ControlIds, Example, collate


@dataclass(frozen=True)
class Forward:
    """Builds batches and predicts their labels."""

    model: Any
    ids: ControlIds
    device: str
    precision: Precision
    packing: bool = False

    def batch(self, examples: Sequence[Example], indices: Sequence[int]) -> Batch:
        """Build a batch of some examples, on the device."""
        chosen = [examples[index] for index in indices]
        batch = collate(chosen, self.ids)
        if self.packing:
            batch = pack(batch, [example.length for example in chosen])
        return batch.to(self.device)

    def losses(self, batch: Batch, *, with_predictor: bool = True) -> LossSums:
        """Compute the losses of a batch, without the code predictor's pass if ``with_predictor`` is False."""
        with self.autocast():
            return loss_sums(predict(self.model, batch, with_predictor=with_predictor), batch)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context that computes in ``precision``."""
        if self.precision.format == "float32":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, torch_dtype(self.precision))
