"""State of a file on the disk, which differs once the file was written or replaced. stdlib only."""

from pathlib import Path

FileState = tuple[int, int, int, int] | None


def read_state(path: Path) -> FileState:
    """Return what changes with a file or with the link to it: numbers, size in bytes, time in ns; None: not there."""
    try:
        entry, found = path.lstat(), path.stat()
    except OSError:
        return None
    return entry.st_ino, found.st_ino, found.st_size, found.st_mtime_ns
