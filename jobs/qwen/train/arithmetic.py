"""Arithmetic of a run: the kernel of its attention, and results that are the same each time."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from jobs.errors import UserError
from jobs.qwen.train.fused_layers import attend
from jobs.settings import export_variable

KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}
# cuBLAS sums in a fixed order only with workspaces of its own (NVIDIA's cuBLAS documentation, "Results
# Reproducibility"); it reads the variable when a process first uses it.
CUBLAS_VARIABLE, CUBLAS_WORKSPACES = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
HEADS, KEY_HEADS, HEAD_DIM, POSITIONS = 16, 8, 128, 32  # of a released model


@contextmanager
def attention_kernel(choice: str) -> Iterator[None]:
    """Compute all attention with one kernel; ``auto`` leaves the choice to torch."""
    if choice == "auto":
        yield
        return
    with sdpa_kernel(KERNELS[choice]):  # for the process, so also where a backward pass computes a layer again
        yield


def check_attention(choice: str, device: str, dtype: torch.dtype) -> None:
    """Refuse a kernel that does not run on this device in this number format, by a pass forward and back.

    Raises:
        UserError: ``attention_unavailable``.
    """
    if choice == "auto":
        return
    query, key, value = (
        torch.zeros(1, n_heads, POSITIONS, HEAD_DIM, dtype=dtype, device=device, requires_grad=True)
        for n_heads in (HEADS, KEY_HEADS, KEY_HEADS)
    )
    try:
        with attention_kernel(choice):
            attend(query, key, value, None, 1.0).sum().backward()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            "attention_unavailable",
            f"attention={choice} does not run here in {str(dtype).removeprefix('torch.')}: {reason}",
            "Leave attention out, or use math, which runs everywhere.",
        ) from error


@contextmanager
def deterministic(is_wanted: bool) -> Iterator[None]:
    """Use only algorithms that give the same numbers each time; torch refuses those that do not."""
    if not is_wanted:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    export_variable(CUBLAS_VARIABLE, CUBLAS_WORKSPACES)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
