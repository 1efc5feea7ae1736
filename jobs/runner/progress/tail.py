"""End of a file that grows: the newest lines of a log, the newest line of ``progress.jsonl``. stdlib only."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.files.reading import open_regular

TAIL_BYTES = 32_768


def read_tail(path: Path, n_bytes: int = TAIL_BYTES) -> bytes:
    """Read the last bytes of a regular file; empty when there is none."""
    try:
        with open_regular(path) as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - n_bytes))
            return stream.read()
    except (OSError, UserError):
        return b""


def read_tail_lines(path: Path, n_bytes: int) -> list[str]:
    """Read the lines in the last ``n_bytes`` of a file; the first may be cut."""
    return read_tail(path, n_bytes).decode("utf-8", errors="replace").splitlines()


def newest_reports(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the reports at the end of a progress file, the newest first.

    A line that was torn by a kill or cut by the tail is left out.
    """
    for line in reversed(read_tail(path).splitlines()):
        try:
            report = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(report, dict):
            yield report


def read_done(path: Path) -> float:
    """Read how far an attempt came, in its own units; 0 when it reported nothing."""
    for report in newest_reports(path):
        try:
            return float(report["done"])
        except (ValueError, TypeError, KeyError):
            continue
    return 0.0
