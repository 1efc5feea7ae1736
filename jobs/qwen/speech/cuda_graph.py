"""A frame of the decode loop as a CUDA graph: recorded once, then started as a whole. Not run on a GPU yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

WARM_UPS = 2
"""Frames before recording: libraries reserve memory in the first calls, which a graph may not do."""


class Recording(Protocol):
    """Operations that can be made again."""

    def replay(self) -> None:
        """Make them once."""
        ...


Record = Callable[[Callable[[], None], Sequence[Tensor]], Recording]
"""Records a function that makes the same operations on the same memory each time, and tensors that it changes."""


class CudaGraph:
    """A recorded function. Recording leaves the tensors that it changes as they were."""

    def __init__(self, function: Callable[[], None], changed: Sequence[Tensor]) -> None:
        before = [tensor.clone() for tensor in changed]
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                function()
                for tensor, was in zip(changed, before, strict=True):
                    tensor.copy_(was)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()  # type: ignore[no-untyped-call]
        with torch.cuda.graph(self._graph):
            function()

    def replay(self) -> None:
        """Start the recorded operations."""
        self._graph.replay()  # type: ignore[no-untyped-call]


def record_on(device: torch.device) -> Record | None:
    """Return the recorder of a device; None: operations are started one by one."""
    return CudaGraph if device.type == "cuda" else None
