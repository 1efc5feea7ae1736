"""Files that are whole or not there, also after a kill, a power cut or on a full disk. stdlib only.

New content is written under a temporary name, flushed to the disk and renamed. A file has one writer at a time.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

RESERVED_BYTES = 4096
PRIVATE = 0o600


def write_json(path: Path, content: Any) -> None:
    """Write a JSON document."""
    write_bytes(path, _encode(content))


def write_record(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON document that only its owner can read: the runner's records hold parameters and texts."""
    write_bytes(path, _encode(content), mode=PRIVATE)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes, *, sync: bool = True, mode: int = 0o666) -> None:
    """Write bytes, over the reserved space of the file if there is any; on an error the old file and the space stay.

    Without ``sync`` it may not be on the disk yet: for very many files that are flushed afterwards.
    """
    with replacing(path, sync=sync, keep_temporary=_temporary(path).exists()) as temporary:
        descriptor = os.open(temporary, os.O_CREAT | os.O_RDWR, mode)  # not truncated: the space is reserved
        try:
            offset = 0
            while offset < len(content):
                offset += os.pwrite(descriptor, content[offset:], offset)
            os.ftruncate(descriptor, len(content))
        finally:
            os.close(descriptor)


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a text file for writing that takes its name when it is closed without an error."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        yield stream


@contextmanager
def replacing(path: Path, *, sync: bool = True, keep_temporary: bool = False) -> Iterator[Path]:
    """Give a temporary file to write, for libraries that write by name, which then takes the place of ``path``.

    On an error the file that was there stays, and the temporary file is deleted unless ``keep_temporary``.
    """
    temporary = _temporary(path)
    try:
        yield temporary
        if sync:
            flush(temporary)
        temporary.replace(path)
    except BaseException:
        if not keep_temporary:
            temporary.unlink(missing_ok=True)
        raise
    if sync:
        flush(path.parent)


def flush(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reserve(path: Path) -> None:
    """Take the disk space of a small file now, so that a full disk cannot keep it from being written later."""
    descriptor = os.open(_temporary(path), os.O_CREAT | os.O_RDWR, PRIVATE)
    try:
        os.write(descriptor, b" " * RESERVED_BYTES)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def release(path: Path) -> None:
    """Free the reserved space of a file that will not be written."""
    _temporary(path).unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None when it is not there or not whole."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _encode(content: Any) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + ".tmp")
