"""Locked environments: their state, and their set-up through ``run.sh setup``.

``run.sh`` makes the environments and copies the lock into them last, so an interrupted set-up is never taken
for a finished one, nor an old one for a new one.
"""

import platform
import subprocess
import sys
from pathlib import Path
from typing import Literal

from jobs import installation
from jobs.errors import UserError
from jobs.settings import Settings

LOCKS = Path(__file__).resolve().parent / "locks"
COSTS = LOCKS.parent / "costs.txt"
INSTALLED_LOCK = ".installed.lock"
INSTALLED_BUILD = ".installed.build"

Build = Literal["cuda", "cpu"]


def environment_state(settings: Settings, name: str) -> Literal["ready", "stale", "absent"]:
    """``ready``, ``stale`` (made from another lock, or unfinished), or ``absent``."""
    if name == "server" and not installation.IS_CHECKOUT:
        return "ready"  # the program is installed in it
    if not settings.python(name).exists():
        return "absent"
    installed = settings.envs / name / INSTALLED_LOCK
    if not installed.is_file() or installed.read_bytes() != (LOCKS / f"{name}.lock").read_bytes():
        return "stale"
    return "ready"


def installed_build(settings: Settings, name: str) -> tuple[Build, str]:
    """Return the build of torch in an environment, and the index that it is from; empty: PyPI."""
    try:
        build, _, index = (settings.envs / name / INSTALLED_BUILD).read_text(encoding="utf-8").partition("\n")
    except FileNotFoundError:
        return "cuda", ""
    return ("cpu", index.strip()) if build == "cpu" else ("cuda", "")


def wanted_build(settings: Settings, name: str, *, has_gpu: bool) -> Build:
    """Return the build of torch that a set-up takes now, as ``run.sh`` chooses it."""
    index = settings.torch_index or installed_build(settings, name)[1]
    is_for_cpu = name == "ml" and index and platform.system() == "Linux" and not has_gpu
    return "cpu" if is_for_cpu else "cuda"


def environment_cost_mb(name: str, build: Build = "cuda") -> tuple[int, int]:
    """Download and disk space of an environment, in MB, as ``run.sh`` says them before it starts."""
    name = f"{name}-cpu" if build == "cpu" else name
    rows = (line.split() for line in COSTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return next((int(download), int(disk)) for row_name, download, disk in rows if row_name == name)


def make_setup_command(name: str) -> list[str]:
    """Return the command that makes an environment."""
    return ["bash", str(installation.FILES / "run.sh"), "setup", name]


def make_setup_environment(settings: Settings) -> dict[str, str]:
    """Return the environment in which ``run.sh setup`` follows these settings, also when installed from a wheel."""
    if installation.IS_CHECKOUT:
        return settings.to_environment()
    return settings.to_environment() | {
        "TTS_TRAIN_CODE": str(installation.CODE),
        "TTS_TRAIN_TOOLS": str(settings.envs / "tools"),
        "TTS_TRAIN_PYTHON": sys.executable,
    }


def make_environment(name: str) -> None:
    """Make an environment, with its progress on stderr. What an interrupted set-up has done is kept.

    Raises:
        UserError: ``setup_failed``; why is on stderr.
    """
    answer = subprocess.run(
        make_setup_command(name),
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        env=make_setup_environment(Settings.from_environment()),
        check=False,
    )
    if answer.returncode != 0:
        raise UserError(
            "setup_failed",
            f"The environment {name!r} could not be made.",
            "Fix the errors above, then call setup.",
        )
