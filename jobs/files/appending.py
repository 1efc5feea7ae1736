"""Lines added to a JSONL file that several processes may write, each addition whole and on the disk. stdlib only."""

import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from jobs.errors import UserError
from jobs.files.folders import open_in_place


def append_lines(path: Path, make_lines: Callable[[], Sequence[str]]) -> None:
    """Append lines so that all or none are there, also with concurrent writers, and survive a power cut.

    Args:
        path: of the file, which is made if it is missing.
        make_lines: returns the lines without their ends; called when no other process can write the file, so that it
            may read it first. What it raises leaves the file as it was.

    Raises:
        UserError: ``disk_full``, ``path_is_link``, ``file_not_regular``.
    """
    descriptor = open_in_place(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        content = "".join(f"{line}\n" for line in make_lines()).encode()
        size_bytes = os.fstat(descriptor).st_size
        if size_bytes and os.pread(descriptor, 1, size_bytes - 1) != b"\n":
            content = b"\n" + content  # an editor left the last line without its end, or a kill within a write
        try:
            if os.write(descriptor, content) != len(content):
                raise OSError("the disk took only a part")
            os.fsync(descriptor)
        except OSError as error:
            os.ftruncate(descriptor, size_bytes)
            raise UserError(
                "disk_full", f"Nothing could be added to {path}: {error}.", "Free some space and call again."
            ) from error
    finally:
        os.close(descriptor)
