"""Examples whose codes may be those of a changed copy of their clip."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import overload

import torch

from jobs.qwen.train.sequence_layout import Example


class VariedExamples(Sequence[Example]):
    """Examples of which each step has the clip itself or one of its changed copies, in equal shares.

    The choice follows from seed, step and clip alone, so that a resumed run makes it again. Until the first ``turn_to``
    all are the clips themselves.

    Args:
        examples: of the clips.
        copies: codes of each clip's changed copies.
        seed: of the run.
    """

    def __init__(self, examples: Sequence[Example], copies: Sequence[Sequence[torch.Tensor]], seed: int) -> None:
        self._examples, self._copies, self._seed = examples, copies, seed
        self._step: int | None = None

    def turn_to(self, step: int) -> None:
        """Make the choice of a step."""
        self._step = step

    def __len__(self) -> int:
        return len(self._examples)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | Sequence[Example]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        copies = self._copies[index]
        if self._step is None or not copies:
            return self._examples[index]
        digest = hashlib.sha256(f"copy/{self._seed}/{self._step}/{index}".encode()).digest()
        chosen = int.from_bytes(digest[:4], "big") % (1 + len(copies))
        example = self._examples[index]
        return example if chosen == 0 else replace(example, codes=copies[chosen - 1])
