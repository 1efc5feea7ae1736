"""State of a locked environment: made from the project's present lock, from another one, or absent.

``run.sh`` makes the environments and copies the lock into them last, so an interrupted set-up is never taken
for a finished one, nor an old one for a new one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from jobs.settings import Settings

LOCKS = Path(__file__).resolve().parent / "locks"
COSTS = LOCKS.parent / "costs.txt"
INSTALLED_LOCK = ".installed.lock"


def environment_state(settings: Settings, name: str) -> Literal["ready", "stale", "absent"]:
    """``ready``, ``stale`` (made from another lock, or unfinished), or ``absent``."""
    if not settings.python(name).exists():
        return "absent"
    installed = settings.envs / name / INSTALLED_LOCK
    if not installed.is_file() or installed.read_bytes() != (LOCKS / f"{name}.lock").read_bytes():
        return "stale"
    return "ready"


def environment_cost_mb(name: str) -> tuple[int, int]:
    """Download and disk space of an environment, in MB, as ``run.sh`` says them before it starts."""
    rows = (line.split() for line in COSTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return next((int(download), int(disk)) for row_name, download, disk in rows if row_name == name)
