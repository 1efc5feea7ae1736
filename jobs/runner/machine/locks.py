"""Liveness by flock: the kernel frees a lock when its last holder dies, and no pid can be mistaken. stdlib only."""

import fcntl
import os
from pathlib import Path

from jobs.files.folders import open_in_place


def take(path: Path, *, wait: bool) -> int | None:
    """Take an exclusive lock and return its file descriptor, or None when it is held and ``wait`` is false.

    A prober holds a lock for microseconds, so the owner-to-be must wait (or retry): see ``is_held``.

    Raises:
        UserError: ``path_is_link``, ``file_not_regular``.
    """
    descriptor = open_in_place(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_held(path: Path) -> bool:
    """True while some process holds the lock. A file that is not there was never locked."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
