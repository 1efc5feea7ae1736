"""Compute devices: choice, description, number of CPU threads, memory of the process and out-of-memory errors."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jobs.errors import UserError
from jobs.qwen.precision import DeviceInfo, Precision

if TYPE_CHECKING:
    import torch

# Models below this size run slower with a second thread, because the threads wait for each other. Measured on two busy
# cores: the toy codec (4.6 M) encodes 146 s of audio in 4.4 s with one thread, 38 s with two; a toy talker (1.5 M)
# takes 0.4 CPU s per second of speech with one, 3.9 with two. Real models were not measured.
SMALL_MODEL_PARAMETERS = 30_000_000

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
LARGE_BLOCK = 8 << 20  # bytes


def compute_device() -> str:
    """Return ``cuda:0`` where there is a working GPU, else ``cpu``."""
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


def describe_device(device: str) -> DeviceInfo:
    """Read the properties of a torch device that decide its number format."""
    import torch

    if device == "cpu":
        return DeviceInfo("cpu")
    found = torch.cuda.get_device_properties(device)
    return DeviceInfo("rocm" if torch.version.hip else "cuda", found.name, (found.major, found.minor))


def torch_dtype(precision: Precision) -> torch.dtype:
    """Return torch's name of a number format."""
    import torch

    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision.format]


def limit_cpu_threads(n_parameters: int) -> int:
    """Set torch's CPU threads for a model and return their number: one for a small model, else at most the cores.

    torch starts with ``OMP_NUM_THREADS``, or with all cores of the machine, though a container or ``taskset`` may
    allow fewer.
    """
    import torch

    allowed = len(os.sched_getaffinity(0))
    n_threads = 1 if n_parameters < SMALL_MODEL_PARAMETERS else max(1, min(torch.get_num_threads(), allowed))
    torch.set_num_threads(n_threads)
    return n_threads


def keep_freed_memory(*, recomputes: bool = False) -> None:
    """Make glibc keep freed memory for the next step's tensors; does nothing with another C library.

    glibc returns large blocks to the system at once, and every step pays for their pages again. Measured with 57 M
    weights on one of two busy cores: 1.90 s a step without, 1.30 s with; the same peak of resident memory.

    Args:
        recomputes: a step that recomputes activations keeps small tensors between large ones for a moment, and the
            gaps that those leave add up. So blocks of ``LARGE_BLOCK`` and more are returned. Measured with 60 M
            weights, LoRA, 8 clips of 10 s: a peak of 2.55 GB instead of 3.38 GB for 1.4 times the CPU time; all that
            is kept is what recomputing would have saved.
    """
    if not sys.platform.startswith("linux"):
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_TRIM_THRESHOLD, 2**31 - 1)
        set_option(_M_MMAP_THRESHOLD, LARGE_BLOCK if recomputes else 2**31 - 1)


@contextmanager
def gpu_memory_explained(lower: str) -> Iterator[None]:
    """Translate torch's out-of-memory error into one that names the setting to lower.

    Raises:
        UserError: ``cuda_oom``.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        peak_gb = torch.cuda.max_memory_allocated() / 1e9
        raise UserError(
            "cuda_oom",
            f"The GPU's memory ran out; this job used {peak_gb:.1f} GB of it.",
            f"Lower {lower}, or free the GPU: another program may use its memory.",
        ) from error
