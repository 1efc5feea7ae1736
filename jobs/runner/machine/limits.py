"""Limits of one process: memory, CPU time, size of a file. Processes that it starts have the same limits. stdlib only.

The number of processes is not limited: the kernel counts all of a user's (RLIMIT_NPROC), so a limit for one job would
depend on everything else that the user runs.
"""

import errno
import os
import resource
import signal
from dataclasses import dataclass

from jobs.errors import UserError, causes

MB_A_CORE = 100  # stacks and buffers of the thread pools of torch, OpenBLAS and onnxruntime
READER_MB = 8_000
READER_CPU_S, READER_CPU_S_EACH = 3_600, 100
LONGEST_S = 10_000_000.0
LARGEST_FILE_MB = 16_000  # a download of weights is the largest
# torch raises a RuntimeError for main memory, on Linux and elsewhere.
NO_MEMORY = ("DefaultCPUAllocator: can't allocate memory", "not enough memory: you tried to allocate")
LAST_CPU_S = 5  # from SIGXCPU to SIGKILL
HINT = (
    "The input asks for far more than a real one of its size: check it, or convert it with a program of yours and give "
    "the copy. What was finished is kept."
)


@dataclass(frozen=True)
class Limits:
    """Limits of each process of a job.

    Attributes:
        memory_mb: memory that it can write to, and ``MB_A_CORE`` more for each core. Address space that is only
            reserved does not count (RLIMIT_DATA, not RLIMIT_AS): an ingest that holds 1.2 GB has 1.6 GB of the one and
            5.7 GB of the other (measured on two cores), and CUDA reserves more than any machine has.
        cpu_s: CPU time, of all threads together.
        file_mb: length of a file that it writes.
    """

    memory_mb: int
    cpu_s: int
    file_mb: int

    def apply(self) -> None:
        """Set them for this process. The kernel ends it by SIGXCPU when its CPU time is over."""
        memory_mb = self.memory_mb + MB_A_CORE * (os.cpu_count() or 1)
        lower(resource.RLIMIT_DATA, memory_mb * 1_000_000)
        lower(resource.RLIMIT_FSIZE, self.file_mb * 1_000_000)
        lower(resource.RLIMIT_CPU, self.cpu_s, LAST_CPU_S)


def limits_of_reader(audio_s: float, more_mb: int = 0) -> Limits:
    """Return limits for work on the CPU that reads recordings and texts which anybody may have made.

    Many times what an honest book takes (1.2 GB; a tenth of its length in CPU time, with Whisper some times its
    length), and far less than a small crafted file may ask for.

    Args:
        audio_s: length of the recording, as it claims.
        more_mb: memory of a model that this work loads.
    """
    return Limits(READER_MB + more_mb, READER_CPU_S + int(READER_CPU_S_EACH * min(audio_s, LONGEST_S)), LARGEST_FILE_MB)


def forbid_core_dumps() -> None:
    """Write no memory image when this process crashes: it would hold texts, and fill the disk."""
    lower(resource.RLIMIT_CORE, 0)


def explain(error: BaseException) -> UserError | None:
    """Return the error for what a limit of this process has caused; None for any other."""
    for cause in causes(error):
        if is_out_of_memory(cause):
            limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
            if limit != resource.RLIM_INFINITY:
                return _reached(f"{limit / 1e9:g} GB of memory")
        if isinstance(cause, OSError) and cause.errno == errno.EFBIG:
            limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
            if limit != resource.RLIM_INFINITY:
                return _reached(f"{limit / 1e9:g} GB for a file")
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception itself says that main memory could not be had."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY)


def explain_exit(code: int) -> UserError | None:
    """Return the error for a process that its limit of CPU time has ended; None for any other exit code."""
    return _reached("CPU time") if code == -signal.SIGXCPU else None


def lower(number: int, value: int, extra: int = 0) -> None:
    """Set a limit, and at most ``extra`` above it the one that it cannot be raised over. A lower one stays."""
    soft, hard = (float("inf") if limit == resource.RLIM_INFINITY else limit for limit in resource.getrlimit(number))
    resource.setrlimit(number, (int(min(value, soft, hard)), int(min(value + extra, hard))))


def _reached(what: str) -> UserError:
    return UserError("limit_reached", f"The work reached its limit of {what}.", HINT)
