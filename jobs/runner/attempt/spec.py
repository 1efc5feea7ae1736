"""Specification of an attempt: built from the store, or read from ``attempt.json`` on another machine. stdlib only."""

from dataclasses import dataclass, field
from typing import Any

SLURM_PREFIX = "tts:"


@dataclass(frozen=True)
class AttemptSpec:
    """Description of an attempt for the shim that runs it.

    Attributes:
        job_id: the job.
        attempt: number of the attempt.
        environment: locked environment of the worker.
        document: kind, parameters and settings of the job.
        max_run_s: longest run, seconds.
        path_map: prefixes of the supervisor's paths to those of this machine.
        is_director: whether it only starts and waits for other jobs.
    """

    job_id: str
    attempt: int
    environment: str
    document: dict[str, Any]
    max_run_s: float | None = None
    path_map: dict[str, str] = field(default_factory=dict)
    is_director: bool = False

    @property
    def n_processes(self) -> int:
        """Number of processes that the work runs in: a parameter of kinds that can use several."""
        return int(self.document["params"].get("n_processes") or 1)

    @property
    def mark(self) -> str:
        """Value in the environment of every process of the attempt."""
        return build_mark(self.job_id, self.attempt)

    @property
    def slurm_name(self) -> str:
        """Name of the attempt's Slurm job."""
        return build_slurm_name(self.job_id, self.attempt)


def build_mark(job_id: str, attempt: int) -> str:
    """Build the value that every process of an attempt carries in its environment."""
    return f"{job_id}/{attempt}"


def build_slurm_name(job_id: str, attempt: int) -> str:
    """Build the name that ties a Slurm job to an attempt. Slurm uses its numbers again after a crash."""
    return f"{SLURM_PREFIX}{job_id}:{attempt}"
