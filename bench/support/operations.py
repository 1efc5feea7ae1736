"""Count of the operations that a piece of work makes: those that compute, and those that wait for the device."""

from __future__ import annotations

from collections.abc import Callable

import torch

# Make no kernel: they only say how memory is read.
VIEWS = frozenset(
    "view reshape transpose t permute expand expand_as slice select as_strided unsqueeze squeeze detach detach_ alias "
    "split split_with_sizes chunk narrow unbind unflatten flatten view_as lift_fresh resolve_conj resolve_neg "
    "result_type empty empty_like empty_strided new_empty resize_ set_ _reshape_alias".split()
)
# The program goes on when the device has given the value.
WAITS = frozenset({"_local_scalar_dense", "nonzero"})


def count_operations(work: Callable[[], object]) -> dict[str, int]:
    """Do work under the profiler, and count operations that contain no other one."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities) as profile:
        work()
    counts = {"computing": 0, "waiting": 0}
    for event in profile.events():
        name = event.name.removeprefix("aten::")
        if event.name == name or event.cpu_children:
            continue
        counts["waiting" if name in WAITS else "computing"] += name not in VIEWS
    return counts
