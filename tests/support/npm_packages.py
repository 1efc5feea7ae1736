"""Node packages that a test needs: installed once from a lock, below ``.tools``."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

INSTALL_S = 180


def install_packages(source: Path, target: Path) -> None:
    """Install what ``package-lock.json`` in a folder names; skip the test where npm cannot.

    Args:
        source: folder of ``package.json`` and its lock.
        target: folder to install into; what is there from the same lock is kept.
    """
    target.mkdir(parents=True, exist_ok=True)
    with (target / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (source / "package-lock.json").read_bytes()
        done = target / "installed-lock.json"
        if done.exists() and done.read_bytes() == wanted:
            return
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, target / name)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            subprocess.run(command, cwd=target, capture_output=True, text=True, timeout=INSTALL_S, check=True)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = str(getattr(error, "stderr", "") or error).strip().splitlines()
            pytest.skip(f"npm could not install the packages of {source.name}: {said[-1] if said else error}")
        done.write_bytes(wanted)
