"""Codebooks 1 to 15 of a frame by the code predictor, for several takes at once."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from jobs.qwen.speech.cached_stack import CachedStack, StackWeights, causal_mask
from jobs.qwen.speech.matrices import Matrix
from jobs.qwen.speech.sampling import Choice


class CodePredictor:
    """The code predictor of a model with caches for one frame of every row."""

    def __init__(self, predictor: Any, weights: StackWeights, heads: list[Matrix], n_rows: int) -> None:
        self.heads = heads
        self.embeddings: list[Tensor] = [table.weight for table in predictor.get_input_embeddings()]
        self.project = predictor.small_to_mtp_projection
        n_steps = len(self.heads)
        self.n_rows = n_rows
        self.stack = CachedStack(weights, n_rows, n_steps + 1)
        device = weights.final_norm.device
        groups = weights.n_heads // weights.n_kv_heads
        self._mask = causal_mask(2, groups, device)
        starts = torch.arange(n_rows, device=device)[:, None] * (n_steps + 1)
        self._first_at = (starts + torch.arange(2, device=device)).flatten()
        self._first_rotations = self.stack.rotations[:2].repeat(n_rows, 1, 1)
        self._at = [(starts + position).flatten() for position in range(n_steps + 1)]
        self._rows = slice(0, n_rows)

    @property
    def n_codes(self) -> int:
        """Number of codes of a codebook."""
        return self.heads[0].plain.shape[0]

    def predict(
        self, hidden: Tensor, first: Tensor, choice: Choice, noise: Tensor, codes: Tensor, embedded: Tensor
    ) -> None:
        """Choose the codes of a frame.

        Args:
            hidden: (rows, talker width), the talker's state that predicted codebook 0.
            first: (rows, talker width), embedding of the chosen code of codebook 0.
            noise: (rows, 15, codes), for the choices.
            codes: (rows, 15), written.
            embedded: (rows, 15, talker width), written: the embeddings of the codes.
        """
        x = self.project(torch.stack([hidden, first], 1).flatten(0, 1))
        x = self.stack.forward(x, self._first_at, self._first_rotations, self._rows, 2, self._mask)
        x = x.view(self.n_rows, 2, -1)[:, 1]
        for step, (head, embedding) in enumerate(zip(self.heads, self.embeddings, strict=True)):
            if step:
                at, rotation = self._at[step + 1], self.stack.rotations[step + 1 : step + 2]
                x = self.stack.forward(self.project(embedded[:, step - 1]), at, rotation, self._rows, step + 2, None)
            chosen = choice.choose(head.times(x).float(), noise[:, step])
            codes[:, step] = chosen[:, 0]
            embedded[:, step] = F.embedding(chosen[:, 0], embedding)
