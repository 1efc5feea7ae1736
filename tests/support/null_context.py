"""A job context without a runner: progress and artifacts go nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.settings import Settings


class NullContext:
    """The context that a worker's ``run`` needs, for benchmarks and tests."""

    def __init__(self, folder: Path) -> None:
        self.job_id, self.folder, self.settings = "bench", folder, Settings.from_environment()

    def progress(self, *_: Any, **__: Any) -> None:
        """Ignore the report."""

    def publish(self, *_: Any) -> str:
        """Ignore the artifact."""
        return ""

    def raise_if_cancelled(self) -> None:
        """Do nothing: the work is never cancelled."""
