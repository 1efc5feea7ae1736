"""A socket in a folder that its owner alone can enter. stdlib only.

A name of a socket may have 107 bytes only, so the folder is opened and named by its descriptor.
"""

import contextlib
import os
import socket
from pathlib import Path

BACKLOG = 64


def listen(path: Path) -> socket.socket:
    """Listen on a new socket of this name; one that a killed process has left is replaced."""
    remove(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    finally:
        os.close(folder)
    return listener


def connect(path: Path, timeout_s: float) -> socket.socket:
    """Connect to a socket.

    Raises:
        OSError: it is not there, or no process listens.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.settimeout(timeout_s)
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    except OSError:
        connection.close()
        raise
    finally:
        os.close(folder)
    return connection


def remove(path: Path) -> None:
    """Remove a socket's name, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
