"""Work of ``setup``: ``run.sh setup`` in a process of its own, with packages and bytes as progress."""

import time
from typing import Any

from jobs.environments.environment_state import (
    INSTALLED_LOCK,
    environment_cost_mb,
    environment_state,
    installed_build,
    make_setup_command,
    make_setup_environment,
)
from jobs.errors import UserError
from jobs.runner.machine.preflight import free_bytes
from jobs.runner.worker.context import Cancelled, JobContext
from jobs.settings import Settings
from jobs.setup.cache_growth import CacheGrowth, measure_bytes
from jobs.setup.installer import Installer
from jobs.setup.params import Params, Result
from jobs.setup.readiness import find_build, is_ready
from jobs.setup.space import check_space, started_at

LOOK_S = 2.0  # between two looks at the disk
MEGABYTE = 1_000_000


def run(params: Params, context: JobContext) -> Result:
    """Install an environment. What an interrupted installation has done is kept and used by the next.

    Raises:
        UserError: ``disk_full``; ``setup_failed``: the job's log has the installer's messages.
    """
    name, settings = params.environment, context.settings
    folder = settings.envs / name
    build = find_build(settings, name)
    was_ready = is_ready(settings, name, build)
    if not was_ready:
        check_space(settings, name, build)
        _install(name, environment_cost_mb(name, build)[1], context)
    return Result(
        environment=name,
        folder=str(folder),
        was_ready=was_ready,
        disk_mb=measure_bytes(folder) // MEGABYTE,
        build=installed_build(settings, name)[0],
    )


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """Return what a set-up would do.

    Raises:
        UserError: ``disk_full``.
    """
    name = params.environment
    state, build = environment_state(settings, name), find_build(settings, name)
    planned = {"state": state, "folder": str(settings.envs / name), "build": build}
    if is_ready(settings, name, build):
        return planned
    check_space(settings, name, build)
    download, disk = environment_cost_mb(name, build)
    free = free_bytes(settings.envs) // MEGABYTE
    return planned | {"download_mb": download, "disk_mb": disk, "disk_free_mb": free}


def _install(name: str, total_mb: int, context: JobContext) -> None:
    folder = context.settings.envs / name
    growth = CacheGrowth(context.settings.uv_cache, started_at(context.settings, name) or time.time())
    variables = make_setup_environment(context.settings) | {"TTS_TRAIN_SETUP_LINES": "1"}
    installer = Installer(make_setup_command(name), variables)
    done_mb = 0
    try:
        for _ in installer.looks(LOOK_S):
            context.raise_if_cancelled()
            got = growth.measure() if installer.phase in ("resolving", "downloading") else measure_bytes(folder)
            done_mb = max(done_mb, min(got // MEGABYTE, total_mb))
            context.progress(done_mb, total_mb, describe(installer, growth.n_packages))
    except Cancelled:
        installer.stop()
        raise
    if installer.returncode != 0 or not (folder / INSTALLED_LOCK).is_file():
        raise UserError(
            "setup_failed",
            f"The environment {name!r} could not be installed in {folder}.",
            "The end of the job's log says why. Cure that and call setup again: what was done is kept.",
        )


def describe(installer: Installer, n_got: int) -> str:
    """Return the line of progress: the phase, and packages of their number while they arrive (done is in MB)."""
    if installer.phase == "downloading":
        return f"MB, downloading: {min(n_got, installer.n_packages)} of {installer.n_packages} packages"
    of_all = f" {installer.n_packages} packages" if installer.n_packages else " packages"
    return f"MB, {installer.phase}{of_all}"
