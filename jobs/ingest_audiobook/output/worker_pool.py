"""Pool of worker processes that build units; the result does not depend on their number.

Batches of units (from ``batch_units``) are built in this process, or each is sent to the next idle worker process
(``jobs.ingest_audiobook.output.worker``).
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.ingest_audiobook.input.source_files import SourceFiles
from jobs.ingest_audiobook.input.work_units import WorkUnit
from jobs.ingest_audiobook.output.unit_builder import BuildEvent, ChunkDone, UnitDone, build_units
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.text.text_sources import Transcript
from jobs.settings import PROJECT_ROOT


def build_in_process(
    batches: Sequence[Sequence[WorkUnit]],
    files: SourceFiles,
    params: Params,
    transcript: Transcript,
    staged: Path,
    skip: Callable[[WorkUnit], bool],
) -> Iterator[BuildEvent]:
    """Build the units in this process, without those for which ``skip`` is true by then."""
    for batch in batches:
        units = [unit for unit in batch if not skip(unit)]
        if units:
            for event in build_units(units, files, params, transcript, staged):
                yield event
                if isinstance(event, UnitDone) and all(skip(unit) for unit in units if unit.index > event.unit):
                    break


def build_in_workers(
    batches: Sequence[Sequence[WorkUnit]],
    params: Params,
    staged: Path,
    n_workers: int,
    skip: Callable[[WorkUnit], bool],
) -> Iterator[BuildEvent]:
    """Build the units in ``n_workers`` processes and yield events as they arrive.

    Raises:
        UserError: the error of a worker.
        RuntimeError: a worker failed or ended.
    """
    waiting = iter(batches)
    workers = [_Worker(params, staged) for _ in range(n_workers)]
    try:
        with selectors.DefaultSelector() as selector:
            for worker in workers:
                selector.register(worker.output, selectors.EVENT_READ, worker)
            n_busy = len(workers)
            while n_busy:
                for key, _ in selector.select():
                    for message in key.data.read_messages():
                        if message["kind"] == "chunk_done":
                            yield ChunkDone(message["unit"], message["duration_s"])
                        elif message["kind"] == "unit_done":
                            yield UnitDone(message["unit"])
                        elif message["kind"] == "failed":
                            raise _error_from(message)
                        elif not key.data.send_next(waiting, skip):
                            n_busy -= 1
                            selector.unregister(key.data.output)
    finally:
        for worker in workers:
            worker.kill()


class _Worker:
    """Parent's side of a worker process."""

    def __init__(self, params: Params, staged: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jobs.ingest_audiobook.output.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT_ROOT,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self.output = self._process.stdin, self._process.stdout
        self._rest = b""
        self._send({"params": params.model_dump(), "staged": str(staged.resolve())})

    def read_messages(self) -> Iterator[dict[str, Any]]:
        """Yield the messages that can be read without waiting."""
        content = os.read(self.output.fileno(), 1 << 16)
        if not content:
            code = self._process.wait()
            raise RuntimeError(f"an ingest worker exited with {code}; the log above may say why")
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            yield json.loads(line)

    def send_next(self, waiting: Iterator[Sequence[WorkUnit]], skip: Callable[[WorkUnit], bool]) -> bool:
        """Send the next batch with units to build; return False when there is none."""
        for batch in waiting:
            units = [unit.index for unit in batch if not skip(unit)]
            if units:
                self._send({"units": units})
                return True
        return False

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # reading its output reports that it has ended
            self._input.write(json.dumps(message).encode() + b"\n")
            self._input.flush()

    def kill(self) -> None:
        """Kill the process; an unfinished unit is built again by the next attempt."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._input.close()
        self.output.close()


def _error_from(message: dict[str, Any]) -> Exception:
    if message["code"]:
        return UserError(message["code"], message["message"], message["hint"])
    if message["errno"]:
        return OSError(message["errno"], message["message"])
    return RuntimeError(message["message"])
