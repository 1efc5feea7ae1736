"""Set-up of a locked environment from Python, through ``run.sh setup``."""

from __future__ import annotations

import subprocess
import sys

from jobs.errors import UserError
from jobs.settings import PROJECT_ROOT


def make_environment(name: str) -> None:
    """Make an environment, with its progress on stderr. What an interrupted set-up has done is kept.

    Raises:
        UserError: ``setup_failed``; why is on stderr.
    """
    answer = subprocess.run(
        [PROJECT_ROOT / "run.sh", "setup", name], stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
    )
    if answer.returncode != 0:
        raise UserError(
            "setup_failed",
            f"The environment {name!r} could not be made.",
            f"Fix the errors above, then ./run.sh setup {name}",
        )
