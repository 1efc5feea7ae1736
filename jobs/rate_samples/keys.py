"""What a measure depends on, as the key under which the journal keeps it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def key_of(*parts: object) -> str:
    """Key of a measure: everything that it depends on."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:24]


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
