"""One process of a training, for torchrun or to be killed: ``training_process.py PARAMS.json JOB_FOLDER [STEPS]``.

With ``STEPS`` it is cancelled after so many steps and then goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from jobs.runner.worker.context import Cancelled
from jobs.settings import PROJECT_ROOT, Settings
from jobs.training import work
from jobs.training.params import Params


class QuietContext:
    """A ``JobContext`` that prints its progress."""

    job_id = "training-20261122-120000-0000"

    def __init__(self, folder: Path, steps: int | None = None) -> None:
        self.folder, self._steps_left = folder, steps
        self.settings = Settings(
            home=folder / "home", envs=folder / "envs", roots=(folder, PROJECT_ROOT), hub_cache=folder / "hub"
        )

    def progress(self, done: float, total: float | None = None, message: str = "", **_: float) -> None:
        """Print the progress."""
        sys.stdout.write(f"{message} {done:g}\n")
        sys.stdout.flush()

    def publish(self, name: str, path: Path, kind: str) -> str:
        """Return an address that is not used."""
        return f"artifact://{self.job_id}/{name}"

    def raise_if_cancelled(self) -> None:
        """Cancel the job once, after its steps."""
        if self._steps_left is None:
            return
        self._steps_left -= 1
        if self._steps_left < 0:
            self._steps_left = None
            raise Cancelled


if __name__ == "__main__":
    torch.set_num_threads(1)
    params = Params.model_validate_json(Path(sys.argv[1]).read_text())
    context = QuietContext(Path(sys.argv[2]), *map(int, sys.argv[3:]))
    try:
        work.run(params, context)
    except Cancelled:
        work.run(params, context)
