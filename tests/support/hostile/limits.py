"""Limits of time and memory within which a small file must be read or refused."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MOST_S = 5.0  # of processor time: other processes of the machine do not count
MOST_BYTES = 500_000_000
LARGER = 4
LINEAR_RATIO = 9.0  # of the times for four times the input: linear time has 4, quadratic 16
NOISE_S = 0.03


@contextmanager
def within_limits(most_s: float = MOST_S) -> Iterator[None]:
    """Assert that the block takes at most ``most_s`` and ``MOST_BYTES`` more than before (memory on Linux only)."""
    resets = Path("/proc/self/clear_refs")
    if resets.exists():
        resets.write_text("5", encoding="ascii")  # the peak of the resident memory becomes what is used now
    before, began = _memory_bytes("VmRSS"), time.process_time()
    yield
    took_s, grew_by = time.process_time() - began, _memory_bytes("VmHWM") - before
    assert took_s < most_s, f"{took_s:.1f} s"
    assert grew_by < MOST_BYTES, f"{grew_by / 1e6:.0f} MB"


def assert_linear(read: Callable[[int], object], size: int) -> None:
    """Assert that ``read`` takes at most ``LINEAR_RATIO`` times as long for ``LARGER`` times the size."""
    small_s = max(NOISE_S, min(_seconds(read, size) for _ in range(2)))
    large_s = _seconds(read, LARGER * size)
    for _ in range(2):
        if large_s >= LINEAR_RATIO * small_s:  # again, in case the machine was busy
            large_s = _seconds(read, LARGER * size)
    assert large_s < LINEAR_RATIO * small_s, f"{small_s:.2f} s, then {large_s:.2f} s"


def _seconds(read: Callable[[int], object], size: int) -> float:
    began = time.thread_time()
    read(size)
    return time.thread_time() - began


def _memory_bytes(name: str) -> int:
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)
