"""Small JSON files that are whole or not there, also after a power cut or on a full disk. stdlib only."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

RESERVED_BYTES = 4096


def reserve(path: Path) -> None:
    """Take the disk space of a small record now, so that a full disk cannot keep it from being written later."""
    descriptor = os.open(_temporary(path), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        os.write(descriptor, b" " * RESERVED_BYTES)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write under a temporary name (over the reserved bytes, if any), flush to disk, rename."""
    temporary = _temporary(path)
    descriptor = os.open(temporary, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        text = json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"
        _write_all(descriptor, text)
        os.ftruncate(descriptor, len(text))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def release(path: Path) -> None:
    """Give the reserved space of a record that will not be written back."""
    _temporary(path).unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a record; None when it is not there or not whole."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + ".tmp")


def _write_all(descriptor: int, data: bytes) -> None:
    offset = 0
    while offset < len(data):
        offset += os.pwrite(descriptor, data[offset:], offset)
