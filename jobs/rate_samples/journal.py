"""Measures that are already made, by content: a killed or repeated rating measures nothing twice.

One JSON object a line, appended and flushed; a line that a kill cut short is ignored.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


class Journal:
    """Append-only file of measures under their keys."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, Any] = {}
        if path.is_file():
            for line in path.read_bytes().split(b"\n"):
                try:
                    entry = json.loads(line)
                    self._entries[entry["key"]] = entry["value"]
                except (ValueError, KeyError, TypeError):
                    continue

    def get(self, key: str) -> Any:
        """The value, or None."""
        return self._entries.get(key)

    def put(self, key: str, value: Any) -> None:
        """Add a value; it is on its way to the disk when this returns."""
        self._entries[key] = value
        # The leading newline ends a line that a kill has cut short.
        with self._path.open("ab") as stream:
            stream.write(b"\n" + json.dumps({"key": key, "value": value}).encode())


def key_of(*parts: object) -> str:
    """Key of a measure: everything that it depends on."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:24]


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
