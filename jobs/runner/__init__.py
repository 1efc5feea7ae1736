"""Job runner: stores jobs, starts them in processes of their own, and settles their ends. stdlib only.

Packages, each importing only those before it: ``machine`` (processes, locks, GPUs, memory), ``attempt`` (one start of
a job), ``store`` (SQLite), ``progress``, ``client`` (submit, look up, wait, cancel), ``schedules``, ``worker`` (does
the work), ``shim`` (runs a worker), ``slurm`` (a backend), ``supervisor`` (starts shims).

The rules that keep jobs safe when any process is killed at any time, as the tests cite them:

1. Liveness is a lock that the kernel frees when its holder dies; a pid proves nothing. The supervisor's lock makes
   it the only one of its home.
2. The end of an attempt follows a fixed precedence: the shim's ``exit.json``, the exit code that the supervisor
   reaped, the worker's ``result.json`` or ``failure.json``. With none of these the attempt was interrupted.
3. ``attempt`` is a fence: a process of an older attempt changes nothing. ``tries`` counts attempts that really ran.
4. Every change of state is a compare-and-swap in the store, a final state never changes, and each change is an event.
5. The disk space of a record is reserved before it is needed, so that a full disk cannot lose the end of a job.
6. The supervisor's loop survives every error: one bad row does not block the others, one bad tick is repeated.
7. A probe holds a lock for microseconds: a process that must own the lock waits or tries again, and a held lock
   without a reader of the supervisor's fifo is probed again.
8. Jobs are scheduled per resource, so that one queue cannot starve another.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.runner.client.runner import Runner
    from jobs.runner.job_kind import JobKind
    from jobs.runner.models import JobRecord
    from jobs.runner.worker.context import JobContext

__all__ = ["JobContext", "JobKind", "JobRecord", "Runner"]

# Imported at first use: the supervisor and the shim run without pydantic.
_MODULES = {
    "JobContext": "jobs.runner.worker.context",
    "JobKind": "jobs.runner.job_kind",
    "JobRecord": "jobs.runner.models",
    "Runner": "jobs.runner.client.runner",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
