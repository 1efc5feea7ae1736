"""State of a file on the disk, by which a page knows that what it has read is still true."""

from pathlib import Path

FileState = tuple[int, int, int] | None


def read_state(path: Path) -> FileState:
    """Return number, size in bytes and time of change in ns of a file; None: it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
