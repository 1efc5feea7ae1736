"""Work of ``setup``: ``run.sh setup`` in a process of its own, with the installed size as progress."""

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any

from jobs.environments.environment_state import (
    INSTALLED_LOCK,
    environment_cost_mb,
    environment_state,
    make_setup_command,
    make_setup_environment,
)
from jobs.errors import UserError
from jobs.runner.worker.context import Cancelled, JobContext
from jobs.settings import Settings
from jobs.setup.params import Params, Result

LOOK_S = 2.0  # between two looks at the size


def run(params: Params, context: JobContext) -> Result:
    """Install an environment. What an interrupted installation has done is kept and used by the next.

    Raises:
        UserError: ``setup_failed``; the job's log has the installer's messages.
    """
    name, settings = params.environment, context.settings
    folder, total = settings.envs / name, environment_cost_mb(name)[1]
    was_ready = environment_state(settings, name) == "ready"
    if not was_ready:
        context.progress(0, total, "resolving")
        _install(name, folder, total, context)
    return Result(environment=name, folder=str(folder), was_ready=was_ready, disk_mb=measure_mb(folder))


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """Return what a set-up would do."""
    download, disk = environment_cost_mb(params.environment)
    state = environment_state(settings, params.environment)
    needs = {"download_mb": download, "disk_mb": disk} if state != "ready" else {}
    return {"state": state, "folder": str(settings.envs / params.environment), **needs}


def measure_mb(folder: Path) -> int:
    """Measure what a folder's files take, in MB."""
    size, folders = 0, [str(folder)]
    while folders:
        with contextlib.suppress(FileNotFoundError), os.scandir(folders.pop()) as entries:  # replaced at this moment
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    size += entry.stat(follow_symlinks=False).st_size
    return size // 1_000_000


def _install(name: str, folder: Path, total: float, context: JobContext) -> None:
    environment = make_setup_environment(context.settings)
    process = subprocess.Popen(make_setup_command(name), stdin=subprocess.DEVNULL, env=environment)
    try:
        while _is_running(process):
            context.raise_if_cancelled()
            context.progress(min(measure_mb(folder), total), total, "installing packages (MB)")
    except Cancelled:
        process.terminate()
        process.wait()
        raise
    if process.returncode != 0 or not (folder / INSTALLED_LOCK).is_file():
        raise UserError(
            "setup_failed",
            f"The environment {name!r} could not be installed in {folder}.",
            "The end of the job's log says why. Cure that and call setup again: what was done is kept.",
        )


def _is_running(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(LOOK_S)
    except subprocess.TimeoutExpired:
        return True
    return False
