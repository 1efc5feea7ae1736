"""Stamps of a model's files: what a loaded model was made from, so that another one in its place is noticed."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path

from jobs.errors import UserError
from jobs.qwen.model_files import CODEC

Stamps = tuple[tuple[str, int, int], ...]
"""Name, size and time of each file."""
CONFIG, WEIGHTS = "config.json", "*.safetensors"
STILL_S = 1.0
"""Files that were written so shortly ago may still be written."""


def read_stamps(folder: Path) -> Stamps:
    """Return the stamps of the config and of all weights of a model's folder."""
    files = (folder / CONFIG, *(file for name in ("", CODEC) for file in (folder / name).glob(WEIGHTS)))
    stamps = []
    for file in sorted(files):
        with suppress(FileNotFoundError):  # it is being replaced
            status = file.stat()
            stamps.append((str(file.relative_to(folder)), status.st_size, status.st_mtime_ns))
    return tuple(stamps)


def is_still(stamps: Stamps) -> bool:
    """Return whether nothing was written to files just now. A time in the future, of another clock, counts as none."""
    return not any(0 <= time.time() - written_ns / 1e9 < STILL_S for _, _, written_ns in stamps)


def hash_stamps(stamps: Stamps) -> str:
    """Return a short hash of stamps."""
    return hashlib.sha256(json.dumps(stamps).encode()).hexdigest()[:16]


def check_unchanged(folder: Path, stamps: Stamps) -> None:
    """Check that a model's files are those of earlier stamps.

    Raises:
        UserError: ``model_changed``.
    """
    if read_stamps(folder) != stamps:
        raise model_changed(folder)


def model_changed(folder: Path) -> UserError:
    """Return the error of a model whose files are other ones than when a job began."""
    return UserError(
        "model_changed",
        f"The files of {folder} have changed since the job began, and takes of two models are not mixed.",
        "Call it again: the model speaks as it is now.",
    )
