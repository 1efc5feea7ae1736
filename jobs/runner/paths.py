"""Paths of the runner's files: the home, a job's folder, an attempt's folder. stdlib only.

Everything is found from the home, so a home that is moved to another disk still works.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

OUT = "out"
# The search begins at the start of a word only: were it at each of its letters, a long one took quadratic time.
_JOB_ID = re.compile(r"(?<![a-z0-9_])[a-z0-9_]++-[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")


def find_job_ids(text: str) -> set[str]:
    """Find job ids anywhere in a text; a job's folder and handles carry its id."""
    return set(_JOB_ID.findall(text))


def is_job_id(text: str) -> bool:
    """Return whether the text is a job's id, and nothing else."""
    return _JOB_ID.fullmatch(text) is not None


@functools.lru_cache(maxsize=256)  # a list of jobs asks for the same ones again and again
def _job_folder(home: Path, job_id: str) -> Path:
    if not _JOB_ID.fullmatch(job_id):
        raise ValueError(f"not a job id: {job_id!r}")
    return home / "jobs" / job_id


class _File:
    """Path of a file in its owner's folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, owner: AttemptFolder | Home, kind: type) -> Path:
        return owner.path / self._name


@dataclass(frozen=True)
class AttemptFolder:
    """One start of a job. Each file has one writer, named here."""

    path: Path

    @property
    def home(self) -> Path:
        """The home that the job's folder lies in, by name: ``jobs`` may be a link to another disk."""
        return self.path.parents[2]

    shim_lock = _File("shim.lock")
    """Held (flock) by the shim for as long as it lives."""
    tree_lock = _File("tree.lock")
    """Held by the worker and the processes that it forks: free when no process of the attempt is left."""
    control = _File("control")
    """Fifo read by the shim; any byte in it asks for cancellation."""
    start = _File("start.json")
    """The worker's pid and start time, written by the shim."""
    exit = _File("exit.json")
    """Exit of the worker, written by the shim."""
    result = _File("result.json")
    """Result of the work, written by the worker at its end."""
    failure = _File("failure.json")
    """Error of the work, written by the worker at its end."""
    marks = _File("marks.json")
    """Paths of the marks of its outputs, written by the worker before them; the shim completes those left open."""
    task = _File("attempt.json")
    """Attempt's specification for a shim on another machine, written by the supervisor."""
    alive = _File("alive")
    """Heartbeat: written at intervals by the shim, or by the supervisor for a worker that has outlived it."""
    cancel = _File("cancel")
    """Written by the supervisor: a shim on another machine that sees it ends its worker."""
    temporary = _File("tmp")
    """Temporary files of a worker that can write nowhere else; deleted by the shim."""
    log = _File("log")
    """stdout and stderr of the worker."""
    progress = _File("progress.jsonl")
    """Appended by the worker, and thinned when it is long."""
    artifacts = _File("artifacts.jsonl")
    """Appended by the worker."""


@dataclass(frozen=True)
class Home:
    """The runner's part of ``Settings.home``."""

    path: Path

    database = _File("jobs.db")
    """The store."""
    wake = _File("wake")
    """Fifo that the supervisor sleeps on."""
    supervisor_lock = _File("supervisor.lock")
    """Held by the one supervisor."""
    page = _File("web.json")
    """Address of the web application, without its key; written when it starts."""
    page_lock = _File("web.lock")
    """Held by it for as long as it lives."""
    supervisor_log = _File("supervisor.log")
    """Log of the supervisor and the shims."""
    holds = _File("holds.json")
    """Reasons why free slots are not used now: resource to sentence; written by the supervisor."""

    def job(self, job_id: str) -> Path:
        """A job's folder. Refuses what is not a job's id, so that no id leads out of the home."""
        return _job_folder(self.path, job_id)

    def out(self, job_id: str) -> Path:
        """Output of a job whose parameters name no place for it; written by the worker."""
        return self.job(job_id) / OUT

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
