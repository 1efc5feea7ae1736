"""Where a model computes: the device, its number format, and how many CPU threads help."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jobs.errors import UserError

if TYPE_CHECKING:
    import torch

# Below this a second thread costs more than it brings, because the threads wait for each other. Measured on two busy
# cores: the toy codec (4.6 M) encodes 146 s of audio in 4.4 s with one thread, 38 s with two; a toy talker (1.5 M)
# takes 0.4 CPU s per second of speech with one, 3.9 with two. Real models were not measured.
SMALL_MODEL_PARAMETERS = 30_000_000

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def compute_device() -> str:
    """``cuda:0`` where there is a GPU that works, else ``cpu``."""
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


def speaking_dtype(device: str) -> torch.dtype:
    """bfloat16 on a GPU that computes in it, else float32 (faster and exact on a CPU)."""
    import torch

    return torch.bfloat16 if device != "cpu" and torch.cuda.is_bf16_supported() else torch.float32


def limit_cpu_threads(n_parameters: int) -> int:
    """Set torch's CPU threads for a model: one for a small model, else at most what this process may use.

    torch starts with ``OMP_NUM_THREADS``, or with all cores of the machine, though a container or ``taskset`` may
    allow fewer: more threads than cores wait for each other.
    """
    import torch

    allowed = len(os.sched_getaffinity(0))
    n_threads = 1 if n_parameters < SMALL_MODEL_PARAMETERS else max(1, min(torch.get_num_threads(), allowed))
    torch.set_num_threads(n_threads)
    return n_threads


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, for the next step's tensors; glibc alone, else nothing happens.

    glibc gives large blocks back at once, and every step pays for their pages again. Measured, 57 M weights on one of
    two busy cores, steps in turn: 1.90 s a step without, 1.30 s with; the same peak of resident memory.
    """
    if not sys.platform.startswith("linux"):
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            set_option(option, 2**31 - 1)


@contextmanager
def gpu_memory_explained(lower: str) -> Iterator[None]:
    """Turn torch's out-of-memory error into one that says what to lower.

    Raises:
        UserError: ``gpu_memory``.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        peak_gb = torch.cuda.max_memory_allocated() / 1e9
        raise UserError(
            "gpu_memory",
            f"The GPU's memory ran out with {peak_gb:.1f} GB of it ours.",
            f"Lower {lower}, or free the GPU: another program may hold its memory.",
        ) from error
