"""Paths of the runner's files: the home, a job's folder, an attempt's folder. stdlib only.

Everything is found from the home, so a home that is moved to another disk still works.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

_JOB_ID = re.compile(r"[a-z0-9_]+-\d{8}-\d{6}-[0-9a-f]{4}")


def find_job_ids(text: str) -> set[str]:
    """Find job ids anywhere in a text; a job's folder and handles carry its id."""
    return set(_JOB_ID.findall(text))


@functools.lru_cache(maxsize=256)  # a list of jobs asks for the same ones again and again
def _job_folder(home: Path, job_id: str) -> Path:
    if not _JOB_ID.fullmatch(job_id):
        raise ValueError(f"not a job id: {job_id!r}")
    return home / "jobs" / job_id


@dataclass(frozen=True)
class AttemptFolder:
    """One start of a job. Each file has one writer, named here."""

    path: Path

    @property
    def home(self) -> Path:
        """The home that the job's folder lies in, by name: ``jobs`` may be a link to another disk."""
        return self.path.parents[2]

    @property
    def shim_lock(self) -> Path:
        """Held (flock) by the shim for as long as it lives."""
        return self.path / "shim.lock"

    @property
    def tree_lock(self) -> Path:
        """Held by the worker and the processes that it forks: free when no process of the attempt is left."""
        return self.path / "tree.lock"

    @property
    def control(self) -> Path:
        """Fifo read by the shim; any byte in it asks for cancellation."""
        return self.path / "control"

    @property
    def start(self) -> Path:
        """The worker's pid and start time, written by the shim."""
        return self.path / "start.json"

    @property
    def exit(self) -> Path:
        """Exit of the worker, written by the shim."""
        return self.path / "exit.json"

    @property
    def result(self) -> Path:
        """Result of the work, written by the worker at its end."""
        return self.path / "result.json"

    @property
    def failure(self) -> Path:
        """Error of the work, written by the worker at its end."""
        return self.path / "failure.json"

    @property
    def task(self) -> Path:
        """Attempt's specification for a shim on another machine, written by the supervisor."""
        return self.path / "attempt.json"

    @property
    def alive(self) -> Path:
        """Heartbeat: rewritten at intervals by a shim on another machine."""
        return self.path / "alive"

    @property
    def cancel(self) -> Path:
        """Written by the supervisor: a shim on another machine that sees it ends its worker."""
        return self.path / "cancel"

    @property
    def log(self) -> Path:
        """stdout and stderr of the worker."""
        return self.path / "log"

    @property
    def progress(self) -> Path:
        """Appended by the worker, and thinned when it is long."""
        return self.path / "progress.jsonl"

    @property
    def artifacts(self) -> Path:
        """Appended by the worker."""
        return self.path / "artifacts.jsonl"


@dataclass(frozen=True)
class Home:
    """The runner's part of ``Settings.home``."""

    path: Path

    @property
    def database(self) -> Path:
        """The store."""
        return self.path / "jobs.db"

    @property
    def wake(self) -> Path:
        """Fifo that the supervisor sleeps on."""
        return self.path / "wake"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the one supervisor."""
        return self.path / "supervisor.lock"

    @property
    def supervisor_log(self) -> Path:
        """Log of the supervisor and the shims."""
        return self.path / "supervisor.log"

    @property
    def holds(self) -> Path:
        """Reasons why free slots are not used now: resource to sentence; written by the supervisor."""
        return self.path / "holds.json"

    def job(self, job_id: str) -> Path:
        """A job's folder. Refuses what is not a job's id, so that no id leads out of the home."""
        return _job_folder(self.path, job_id)

    def collected(self, job_id: str) -> Path:
        """Says that a finished job's files were deleted to free the disk; written by a collection."""
        return self.job(job_id) / "collected.json"

    def job_file(self, job_id: str) -> Path:
        """Document of the job and provenance of the run; written by the shim before each start."""
        return self.job(job_id) / "job.json"

    def attempt(self, job_id: str, attempt: int) -> AttemptFolder:
        """An attempt's folder."""
        return AttemptFolder(self.job(job_id) / f"attempt-{attempt}")

    def attempts(self, job_id: str, n_attempts: int) -> list[AttemptFolder]:
        """All attempts of a job so far, oldest first."""
        return [self.attempt(job_id, number) for number in range(1, n_attempts + 1)]
