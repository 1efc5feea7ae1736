"""Work without a runner, for measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.settings import Settings


class Unwatched:
    """A job that nobody watches: what a worker's ``run`` needs of its context, for benches."""

    def __init__(self, folder: Path) -> None:
        self.job_id, self.folder, self.settings = "bench", folder, Settings.from_environment()

    def progress(self, *_: Any, **__: Any) -> None:
        """Nobody looks."""

    def publish(self, *_: Any) -> str:
        """Nobody asks."""
        return ""

    def raise_if_cancelled(self) -> None:
        """Nobody cancels."""
