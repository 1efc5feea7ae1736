"""Weights of talker and code predictor as the decode loop reads them."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import Any

from jobs.qwen.speech.cached_stack import StackWeights
from jobs.qwen.speech.matrices import PACKED_FROM_ROWS, Matrix, may_pack


class DecoderWeights:
    """Weights of talker and code predictor, joined once and shared by all loops of a model."""

    def __init__(self, model: Any) -> None:
        """Join the weights of a ``Qwen3TTSForConditionalGeneration``.

        Raises:
            ValueError: it is of another architecture than the released models.
        """
        self.talker = model.talker
        self.talker_stack = StackWeights(model.talker.model)
        self.predictor_stack = StackWeights(model.talker.code_predictor.model)
        self.talker_head = Matrix(model.talker.codec_head.weight)
        self.predictor_heads = [Matrix(head.weight) for head in model.talker.code_predictor.lm_head]

    def prepare(self, n_rows: int) -> DecoderWeights:
        """Return the weights for a number of takes at once: packed where that is of use.

        They depend on nothing else, so that a take does not depend on the loops before it.
        """
        stacks = (self.talker_stack, self.predictor_stack)
        if may_pack([*stacks[0].matrices, *stacks[1].matrices, self.talker_head, *self.predictor_heads], n_rows):
            return self._packed
        return self

    @cached_property
    def _packed(self) -> DecoderWeights:
        packed = copy(self)
        packed.talker_stack = self.talker_stack.pack(PACKED_FROM_ROWS)
        packed.predictor_stack = self.predictor_stack.pack(PACKED_FROM_ROWS)
        packed.talker_head = self.talker_head.pack(PACKED_FROM_ROWS)
        packed.predictor_heads = [head.pack(PACKED_FROM_ROWS) for head in self.predictor_heads]
        return packed

    @property
    def bytes_per_position(self) -> int:
        """Memory that a position of a take needs in the talker's caches."""
        stack = self.talker_stack
        n_bytes: int = 2 * len(stack.layers) * stack.n_kv_heads * stack.head_dim * stack.final_norm.element_size()
        return n_bytes
