"""Claim of an attempt that may start on another machine: a folder that only one process can make. stdlib only.

The shim takes it before it starts anything; the supervisor takes it before it gives the attempt up. The second one
leaves. Only a shared file system is needed.
"""

import contextlib
import os
import shutil
import socket
from pathlib import Path

SUPERVISOR = "supervisor"  # the owner of an attempt that was given up


def take(attempt: Path, owner: str) -> bool:
    """Claim the attempt for good. True also when this owner has claimed it before.

    The folder appears together with its owner's name: renaming onto a folder that is not empty fails.
    """
    mine = attempt / f"claim.{socket.gethostname()}.{os.getpid()}"
    shutil.rmtree(mine, ignore_errors=True)  # of a process that had this pid before and was killed
    mine.mkdir()
    (mine / "owner").write_text(owner, encoding="utf-8")
    try:
        # A network file system may answer with an error to a rename that it has made: the content decides.
        with contextlib.suppress(OSError):
            mine.rename(attempt / "claim")
    finally:
        shutil.rmtree(mine, ignore_errors=True)
    return owner_of(attempt) == owner


def owner_of(attempt: Path) -> str | None:
    """Read the owner of the attempt; None while there is none."""
    try:
        return (attempt / "claim" / "owner").read_text(encoding="utf-8")
    except OSError:
        return None
