"""Progress lines: ``progress.jsonl`` of the attempt, appended and thinned by the worker, read by its tail."""

import json
import logging
import math
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.files import atomic_io
from jobs.runner.models import Progress
from jobs.runner.progress.metric_history import parse_lines, thin_lines
from jobs.runner.progress.tail import read_tail
from jobs.runner.progress.throughput import compute_rate

logger = logging.getLogger(__name__)

INTERVAL_S = 0.2  # lines without metrics are at least so far apart: a tight loop writes five lines a second
LIMIT_BYTES = 2_000_000  # a training of days reports some hundred thousand steps; a plot shows a thousand
MAX_MESSAGE = 500


class ProgressWriter:
    """Appends lines. A line with metrics is always written; of others the newest is, at the latest after 0.2 s.

    The late line is written by a thread, so that the last call before a long silence is seen too. A file that has
    grown over ``limit_bytes`` is replaced by half as much of it, see ``thin_lines``: by renaming, so that a reader sees
    the one or the other, whenever the writer is killed.
    """

    def __init__(self, path: Path, interval_s: float = INTERVAL_S, limit_bytes: int = LIMIT_BYTES) -> None:
        self._path = path
        self._descriptor = _open_to_append(path)
        self._size = os.fstat(self._descriptor).st_size
        self._limit_bytes = limit_bytes
        self._thin_at = limit_bytes
        self._interval_s = interval_s
        self._condition = threading.Condition()
        self._pending: dict[str, Any] | None = None
        self._written_at = -math.inf
        self._is_closed = False
        self._is_broken = False
        self._thread: threading.Thread | None = None  # not before it is needed: a thread cannot be confined later

    def write(self, done: float, total: float | None, message: str, metrics: Mapping[str, float]) -> None:
        """Report progress. Takes about a microsecond when the line can wait.

        What is no finite number is no JSON: ``done`` counts as 0 then, ``total`` as not known.
        """
        done = done if math.isfinite(done) else 0.0
        total = total if total is not None and math.isfinite(total) else None
        line = {"at": time.time(), "done": done, "total": total, "message": message}
        with self._condition:
            if metrics:
                self._pending = None
                # not-a-number is no JSON; the work itself decides whether a broken loss ends it
                numbers = {name: float(value) for name, value in metrics.items()}
                self._append(line | {"metrics": {k: v for k, v in numbers.items() if math.isfinite(v)}})
            elif time.monotonic() - self._written_at >= self._interval_s:
                self._pending = None
                self._append(line)
            else:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._write_late, name="progress", daemon=True)
                    self._thread.start()
                if self._pending is None:
                    self._condition.notify()
                self._pending = line

    def close(self) -> None:
        """Write what waits and close the file."""
        with self._condition:
            if self._is_closed:
                return
            if self._pending is not None:
                self._append(self._pending)
            self._is_closed = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()
        os.close(self._descriptor)

    def _write_late(self) -> None:
        with self._condition:
            while not self._is_closed:
                if self._pending is None:
                    self._condition.wait()
                    continue
                left_s = self._written_at + self._interval_s - time.monotonic()
                if left_s > 0:
                    self._condition.wait(left_s)
                    continue
                self._append(self._pending)
                self._pending = None

    def _append(self, line: Mapping[str, Any]) -> None:
        text = json.dumps({**line, "message": str(line["message"])[:MAX_MESSAGE]}, ensure_ascii=False)
        try:
            self._size += os.write(self._descriptor, (text + "\n").encode())
            if self._size > self._thin_at:
                self._thin()
        except OSError as error:  # a full disk must not end the work for the sake of a progress line
            if not self._is_broken:
                logger.warning("progress cannot be written: %s", error)
            self._is_broken = True
        self._written_at = time.monotonic()

    def _thin(self) -> None:
        """Keep half of what may be kept; where that is not possible, go on and try again when it is twice as much."""
        self._thin_at = 2 * self._size
        kept = thin_lines(self._path.read_bytes().splitlines(), self._limit_bytes // 2)
        atomic_io.write_bytes(self._path, b"".join(line + b"\n" for line in kept), mode=atomic_io.PRIVATE)
        before, self._descriptor = self._descriptor, _open_to_append(self._path)
        os.close(before)
        self._size = os.fstat(self._descriptor).st_size
        self._thin_at = max(self._limit_bytes, 2 * self._size)


def read_latest(path: Path) -> Progress | None:
    """Read the newest report, with the present rate; None when there is none. Reads the end of the file only."""
    reports = [report for report in parse_lines(read_tail(path).splitlines()) if report is not None]
    return reports[-1].model_copy(update={"rate": compute_rate(reports)}) if reports else None


def _open_to_append(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
