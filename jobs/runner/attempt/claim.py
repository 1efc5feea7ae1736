"""Who owns an attempt that may start on another machine: a folder that exactly one comer can make. stdlib only.

The shim takes it before it starts anything; the supervisor takes it before it gives the attempt up. Whoever comes
second leaves. It needs nothing but a shared file system.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from pathlib import Path

SUPERVISOR = "supervisor"  # the owner of an attempt that was given up


def take(attempt: Path, owner: str) -> bool:
    """Own the attempt. True also when this owner has taken it before; never undone.

    The folder comes into being together with its owner's name: renaming onto a folder that is not empty fails.
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
    """Who owns the attempt; None while nobody does."""
    try:
        return (attempt / "claim" / "owner").read_text(encoding="utf-8")
    except OSError:
        return None
