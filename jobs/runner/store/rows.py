"""Rows of the table ``jobs``. stdlib only."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, fields

from jobs.runner.attempt.spec import AttemptSpec, build_mark


@dataclass(frozen=True)
class JobRow:
    """Row of the table ``jobs``, column for column. ``document`` is the JSON that says what to run."""

    seq: int
    id: str
    kind: str
    spec_hash: str
    fingerprint: str | None
    document: str
    resource: str
    environment: str
    state: str
    attempt: int
    tries: int
    max_tries: int
    cancel: int
    exit_code: int | None
    reason: str | None
    detail: str
    result: str | None
    failure: str | None
    created_at: float
    started_at: float | None
    ended_at: float | None
    priority: int = 0
    not_before: float | None = None
    max_run_s: float | None = None
    backend: str = "local"
    backend_ref: str | None = None
    memory_mb: int | None = None

    @property
    def mark(self) -> str:
        """Value in the environment of every process of the attempt."""
        return build_mark(self.id, self.attempt)

    @property
    def attempt_spec(self) -> AttemptSpec:
        """Specification of the attempt for its shim."""
        document = json.loads(self.document)
        is_director = self.resource == "director"
        return AttemptSpec(self.id, self.attempt, self.environment, document, self.max_run_s, is_director=is_director)

    @classmethod
    def read(cls, row: sqlite3.Row) -> JobRow:
        """Take the columns that this version knows; a newer one may have upgraded the home meanwhile."""
        return cls(*map(row.__getitem__, _COLUMNS))


_COLUMNS = tuple(field.name for field in fields(JobRow))
