"""Packages of the services in ``log_to``, which are not among those that jobs are set up with."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from jobs.errors import UserError

# What to install for a service. A huggingface-hub of 1.0 or more, which Trackio would bring, breaks transformers 4.
INSTALLED_WITH = {"wandb": "wandb", "trackio": "trackio 'huggingface-hub<1'"}


def check_installed(names: Sequence[str], python: Path) -> None:
    """Refuse a service whose package the environment of jobs lacks; files are looked for, nothing is imported.

    Args:
        python: interpreter of that environment.

    Raises:
        UserError: ``logger_missing``.
    """
    installed = list(python.parent.parent.glob("lib/python*/site-packages"))
    folders = installed or [Path(folder) for folder in sys.path]  # the latter on a node with another layout
    missing = [name for name in names if not any((each / name).is_dir() for each in folders)]
    if missing:
        packages = " ".join(INSTALLED_WITH[name] for name in missing)
        install = f"uv pip install --python {shlex.quote(str(python))} {packages}"
        raise UserError(
            "logger_missing",
            f"log_to names {' and '.join(missing)}, which the environment of jobs lacks: {python.parent.parent}.",
            f"Install it: {install}. Or leave it out of log_to.",
        )
