"""Small private records of the runner, whose disk space can be taken before they are needed. stdlib only."""

import json
import os
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.files.atomic_io import PRIVATE, encode, write_bytes
from jobs.files.folders import open_parent
from jobs.files.reading import read_bytes

RESERVED_BYTES = 4096
LARGEST_BYTES = 64 << 20


def write_record(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON document that only its owner can read: the runner's records hold parameters and texts.

    The reserved space of the file is used if there is any; on an error the old file and the space stay.
    """
    try:
        with open_parent(path) as (folder, name):
            descriptor = os.open(_reserved(name), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                _overwrite(descriptor, encode(content))
            finally:
                os.close(descriptor)
            os.rename(_reserved(name), name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
    except FileNotFoundError:
        write_bytes(path, encode(content), mode=PRIVATE)


def reserve(path: Path) -> None:
    """Take the disk space of a record now, so that a full disk cannot keep it from being written later."""
    with open_parent(path) as (folder, name):
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(_reserved(name), flags, PRIVATE, dir_fd=folder)
        try:
            os.write(descriptor, b" " * RESERVED_BYTES)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def release(path: Path) -> None:
    """Free the reserved space of a record that will not be written."""
    path.with_name(_reserved(path.name)).unlink(missing_ok=True)


def read_record(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None when it is not there, not whole, or anything but a file of a record's size."""
    try:
        value = json.loads(read_bytes(path, LARGEST_BYTES))
        json.dumps(value, ensure_ascii=False).encode()  # lone surrogates are no text that the store takes
    except (OSError, ValueError, RecursionError, UserError):
        return None
    return value if isinstance(value, dict) else None


def _overwrite(descriptor: int, content: bytes) -> None:
    offset = 0
    while offset < len(content):  # not truncated before: the space is reserved
        offset += os.pwrite(descriptor, content[offset:], offset)
    os.ftruncate(descriptor, len(content))
    os.fsync(descriptor)


def _reserved(name: str) -> str:
    return f"{name}.reserved"
