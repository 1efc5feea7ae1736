"""Becomes TensorBoard over every training's log, wherever it is written; on this machine's own address only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from jobs.errors import UserError
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from jobs.settings import Settings
from jobs.training.spec import KIND
from server.cli.flags import Parser

MOST_RUNS = 500


def tensorboard_command(words: Sequence[str], settings: Settings) -> list[str]:
    """The command to become.

    Raises:
        UserError: ``bad_usage`` or ``environment_missing``.
    """
    parser = Parser(
        prog="./run.sh tensorboard", description="Loss curves of every training in a browser, on this machine only."
    )
    parser.add_argument("port", metavar="PORT", nargs="?", type=int, default=6006, help="default: 6006")
    parser.add_argument("--logdir", help="default: every training's log, under its job's id")
    options = parser.parse_args(words)
    python = settings.python("ml")
    if not python.exists():
        missing = f"TensorBoard is in the ml environment, and there is no {python}."
        raise UserError("environment_missing", missing, "Run ./run.sh setup ml")
    logdir = settings.roots[0] / options.logdir if options.logdir else link_runs(settings)
    command = [python, "-m", "tensorboard.main", "--host", "127.0.0.1", "--port", options.port, "--logdir", logdir]
    return [str(word) for word in command]


def link_runs(settings: Settings) -> Path:
    """Gather the trainings' logs in one folder of links, named by job; what is not there yet appears when it is."""
    folder = settings.home / "tensorboard"
    folder.mkdir(parents=True, exist_ok=True)
    for link in folder.iterdir():
        if link.is_symlink():
            link.unlink()
    for job in Runner(settings).list(kind=KIND.name, limit=MOST_RUNS):
        (folder / job.job_id).symlink_to(_log_of(job))
    return folder


def become(command: Sequence[str]) -> None:
    """Replace this process."""
    os.execv(command[0], list(command))


def _log_of(job: JobRecord) -> Path:
    """Where a training writes its events; a job that is not finished is known by its parameters only."""
    if job.result is not None:
        return Path(job.result["tensorboard"])
    return Path(job.params.get("out_dir") or Path(job.folder) / "out") / "tensorboard"
