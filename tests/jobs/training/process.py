"""One process of a training, to be started under torchrun or killed: ``process.py PARAMS.json JOB_FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from jobs.runner.worker.context import ArtifactKind
from jobs.settings import PROJECT_ROOT, Settings
from jobs.training import work
from jobs.training.params import Params


class QuietContext:
    """A ``JobContext`` that says on stdout how far it is."""

    job_id = "training-20261122-120000-0000"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(
            home=folder / "home", envs=folder / "envs", roots=(folder, PROJECT_ROOT), hub_cache=folder / "hub"
        )

    def progress(self, done: float, total: float | None = None, message: str = "", **_: float) -> None:
        """Tell it to whoever reads us."""
        sys.stdout.write(f"{message} {done:g}\n")
        sys.stdout.flush()

    def publish(self, name: str, path: Path, kind: ArtifactKind) -> str:
        """Nobody asks for it."""
        return f"artifact://{self.job_id}/{name}"

    def raise_if_cancelled(self) -> None:
        """Nobody cancels."""


if __name__ == "__main__":
    torch.set_num_threads(1)
    work.run(Params.model_validate_json(Path(sys.argv[1]).read_text()), QuietContext(Path(sys.argv[2])))
