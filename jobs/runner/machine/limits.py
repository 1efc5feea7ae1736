"""Limits of one process: memory, CPU time, size of a file. Processes that it starts have the same limits. stdlib only.

The number of processes is not limited: the kernel counts all of a user's (RLIMIT_NPROC), so a limit for one job would
depend on everything else that the user runs.
"""

import errno
import resource
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from jobs.errors import UserError

LAST_CPU_S = 5  # from SIGXCPU to SIGKILL
CODE = "limit_reached"
HINT = (
    "The input asks for far more than a real one of its size: check it, or convert it with a program of yours and give "
    "the copy. What was finished is kept."
)


@dataclass(frozen=True)
class Limits:
    """Limits of each process of a job.

    Attributes:
        memory_mb: memory that it can write to. Address space that is only reserved does not count (RLIMIT_DATA, not
            RLIMIT_AS): torch and CUDA reserve many times what they use.
        cpu_s: CPU time, of all threads together.
        file_mb: length of a file that it writes.
    """

    memory_mb: int
    cpu_s: int
    file_mb: int

    def apply(self) -> None:
        """Set them for this process. The kernel ends it by SIGXCPU when its CPU time is over."""
        _lower(resource.RLIMIT_DATA, self.memory_mb * 1_000_000)
        _lower(resource.RLIMIT_FSIZE, self.file_mb * 1_000_000)
        _lower(resource.RLIMIT_CPU, self.cpu_s, LAST_CPU_S)


def forbid_core_dumps() -> None:
    """Write no memory image when this process crashes: it would hold texts, and fill the disk."""
    _lower(resource.RLIMIT_CORE, 0)


def explain(error: BaseException) -> UserError | None:
    """Return the error for what a limit of this process has caused; None for any other."""
    for cause in causes(error):
        if isinstance(cause, MemoryError):
            limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
            if limit != resource.RLIM_INFINITY:
                return _reached(f"{limit / 1e9:g} GB of memory")
        if isinstance(cause, OSError) and cause.errno == errno.EFBIG:
            limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
            if limit != resource.RLIM_INFINITY:
                return _reached(f"{limit / 1e9:g} GB for a file")
    return None


def explain_exit(code: int) -> UserError | None:
    """Return the error for a process that its limit of CPU time has ended; None for any other exit code."""
    return _reached("CPU time") if code == -signal.SIGXCPU else None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Iterate over an exception and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _lower(number: int, value: int, extra: int = 0) -> None:
    """Set a limit, and at most ``extra`` above it the one that it cannot be raised over. A lower one stays."""
    soft, hard = (float("inf") if limit == resource.RLIM_INFINITY else limit for limit in resource.getrlimit(number))
    resource.setrlimit(number, (int(min(value, soft, hard)), int(min(value + extra, hard))))


def _reached(what: str) -> UserError:
    return UserError(CODE, f"The work reached its limit of {what}.", HINT)
