"""What a shim is to run, from the store or, on another machine, from ``attempt.json``. stdlib only."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from jobs.runner.store.store import JobRow


@dataclasses.dataclass(frozen=True)
class Task:
    """What a shim needs to know of its attempt.

    ``python`` is set where the settings' would be the wrong one; ``path_map`` leads from the supervisor's paths to
    those of this machine. ``is_director``: it only starts and waits for other jobs.
    """

    job_id: str
    attempt: int
    environment: str
    document: dict[str, Any]
    max_run_s: float | None = None
    python: str = ""
    path_map: dict[str, str] = dataclasses.field(default_factory=dict)
    is_director: bool = False

    @property
    def n_processes(self) -> int:
        """In how many processes the work runs: a parameter of kinds that can."""
        return int(self.document["params"].get("n_processes") or 1)

    @property
    def mark(self) -> str:
        """What every process of the attempt carries in its environment."""
        return mark(self.job_id, self.attempt)

    @classmethod
    def of(cls, row: JobRow) -> Task:
        """From the store."""
        is_director = row.resource == "director"
        return cls(
            row.id, row.attempt, row.environment, json.loads(row.document), row.max_run_s, is_director=is_director
        )


def mark(job_id: str, attempt: int) -> str:
    """What every process of an attempt carries in its environment."""
    return f"{job_id}/{attempt}"
