"""Count of the operations that a piece of work makes: those that compute, and those that wait for the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

# Make no kernel: they only say how memory is read, or reserve it.
VIEWS = frozenset(
    """view reshape transpose t permute expand expand_as slice select as_strided unsqueeze squeeze detach detach_ alias
    split split_with_sizes chunk narrow unbind unflatten flatten view_as lift_fresh resolve_conj resolve_neg to
    result_type empty empty_like empty_strided new_empty resize_ set_ _reshape_alias""".split()  # noqa: SIM905
)
# The program goes on when the device has given the value; ``item`` and ``if tensor`` end in the first.
WAITS = frozenset({"_local_scalar_dense", "nonzero"})
WAITING_METHODS = frozenset({"tolist", "cpu", "numpy"})  # no operations of their own on a CPU


class _Methods(TorchFunctionMode):
    """Counter of the calls that bring a tensor to the program."""

    def __init__(self) -> None:
        super().__init__()
        self.n_waits = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n_waits += getattr(func, "__name__", "") in WAITING_METHODS
        return func(*args, **(kwargs or {}))


def count_operations(work: Callable[[], object]) -> dict[str, int]:
    """Do work under the profiler, and count operations that contain no other one."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile, _Methods() as methods:
        work()
    counts = {"computing": 0, "waiting": methods.n_waits}
    for event in profile.events():
        name = event.name.removeprefix("aten::")
        if event.name == name or event.cpu_children:
            continue
        counts["waiting" if name in WAITS else "computing"] += name not in VIEWS
    return counts
