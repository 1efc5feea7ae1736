"""A full disk is recognised behind the errors of libraries, which raise what they like."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from jobs.files.full_disk import is_full_disk
from tests.support.small_disk import mounted, needs_root

FULL = Path("/dev/full")  # takes no byte: the kernel's own "no space left on device"
WEIGHTS = {"weight": torch.zeros(1000, 1000)}


def insert(folder: Path) -> None:
    """Fill a database up to its limit of pages."""
    with sqlite3.connect(folder / "x.db") as connection:
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("CREATE TABLE x (y)")
        connection.execute("INSERT INTO x VALUES (?)", (b"." * 100_000,))


def save_to_stream(folder: Path) -> None:
    """Save weights as a checkpoint does."""
    with FULL.open("wb") as stream:
        torch.save(WEIGHTS, stream)


WRITERS: dict[str, Callable[[Path], object]] = {
    "Python": lambda folder: FULL.write_bytes(b"."),
    "torch by name": lambda folder: torch.save(WEIGHTS, FULL),
    "torch to a stream": save_to_stream,
    "SQLite": insert,
}


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("library", WRITERS)
def test_a_full_disk_is_seen_in_the_errors_of_libraries(library: str, tmp_path: Path) -> None:
    with pytest.raises(Exception) as caught:
        WRITERS[library](tmp_path)

    assert is_full_disk(caught.value), repr(caught.value)


@needs_root
def test_a_full_disk_is_seen_in_the_error_of_safetensors(tmp_path: Path) -> None:
    with mounted(tmp_path, "100k"), pytest.raises(Exception) as caught:
        save_file(WEIGHTS, tmp_path / "model.safetensors")

    assert is_full_disk(caught.value), repr(caught.value)


def test_it_is_seen_behind_another_error_and_not_in_others() -> None:
    outer = RuntimeError("the export failed")
    outer.__cause__ = OSError(errno.EDQUOT, "Disk quota exceeded")

    assert is_full_disk(outer)
    assert not is_full_disk(OSError(errno.EACCES, "Permission denied"))
    assert not is_full_disk(ValueError("a text that says disk"))
