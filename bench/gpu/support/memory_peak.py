"""Peak memory of a piece of work: of the GPU as torch's allocator and as the driver see it, or of this process."""

from __future__ import annotations

import ctypes
import gc
import resource
from dataclasses import dataclass
from pathlib import Path

import torch

from bench.support.memory import peak_rss_mb
from jobs.runner.machine.preflight import memory_of_machine


@dataclass
class MemoryPeak:
    """Peak since ``start``, in bytes."""

    device: str
    before: float = 0.0

    def start(self) -> None:
        """Forget earlier peaks."""
        gc.collect()
        if self.device == "cpu":
            _return_freed_memory()
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
            self.before = peak_rss_mb() * 2.0**20
        else:
            torch.cuda.init()  # or the first reset of a process is refused
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def allocated(self) -> float:
        """Return what tensors took at most; on a CPU the whole process."""
        if self.device == "cpu":
            return peak_rss_mb() * 2.0**20
        return float(torch.cuda.max_memory_allocated(self.device))

    def added(self) -> float:
        """Return what the work took at most: on a CPU beyond what the process held before."""
        return self.allocated() - self.before

    def used(self) -> float:
        """Return what all programs take of the device: context and gaps between tensors included."""
        if self.device == "cpu":
            return self.allocated()
        free, total = torch.cuda.mem_get_info(self.device)
        return float(total - free)


def _return_freed_memory() -> None:
    """Give what glibc keeps for later back to the system: it would count as held before the work, and hide its peak."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def free_memory(device: str) -> float:
    """Return what this process could take of the device, what it holds already included, in bytes."""
    if device == "cpu":
        machine = memory_of_machine()
        own = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
        return machine.available_mb * 1e6 + own if machine is not None else float("inf")
    gc.collect()
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    return float(free + torch.cuda.memory_reserved(device))
