"""Pool of worker processes that build units; the result does not depend on their number.

Batches of units (from ``batch_units``) are built in this process, or each is sent to the next idle worker. A worker,
``python -m jobs.ingest_audiobook.output.worker_pool``, reads batches from standard input and writes events to standard
output, one JSON object a line. It ends when its parent ends, however that happens.
"""

import contextlib
import ctypes
import errno
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from jobs.errors import UserError
from jobs.ingest_audiobook.input.audio_buffer import release_large_blocks
from jobs.ingest_audiobook.input.source_files import SourceFiles, open_source_files
from jobs.ingest_audiobook.input.work_units import WorkUnit, select_units
from jobs.ingest_audiobook.output.unit_builder import BuildEvent, build_units
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.text.text_sources import Transcript, make_transcript
from jobs.runner.machine import limits
from jobs.settings import PROJECT_ROOT

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1  # linux/prctl.h


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
                if not event.chunk_s and all(skip(unit) for unit in units if unit.index > event.unit):
                    break


def build_in_workers(
    batches: Sequence[Sequence[WorkUnit]],
    params: Params,
    staged: Path,
    n_workers: int,
    skip: Callable[[WorkUnit], bool],
) -> Iterator[BuildEvent]:
    """Build the units in ``n_workers`` processes and yield events as they arrive.

    Raises ``UserError``: the error of a worker. Raises ``RuntimeError``: a worker failed or ended.
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
                        if message["kind"] == "built":
                            yield BuildEvent(message["unit"], message["chunk_s"])
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
            [sys.executable, "-m", "jobs.ingest_audiobook.output.worker_pool"],
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
            raise limits.explain_exit(code) or RuntimeError(
                f"an ingest worker exited with {code}; the log above may say why"
            )
        *lines, self._rest = (self._rest + content).split(b"\n")
        yield from map(json.loads, lines)

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


def main() -> None:
    """Run until standard input ends."""
    parent = os.getppid()
    _end_with_parent()
    if os.getppid() != parent:  # the parent ended before
        return
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    release_large_blocks()
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # prints of libraries must not reach the protocol
    reader, writer = os.pipe()
    threading.Thread(target=_forward_input, args=(writer,), daemon=True).start()
    with os.fdopen(reader, encoding="utf-8") as requests:
        _serve(requests, events)


def _end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends (Linux); elsewhere the end of its input ends it."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _forward_input(writer: int) -> None:
    """Copy standard input to a pipe, and exit when it ends, even in the middle of a batch."""
    while content := os.read(0, 1 << 16):
        os.write(writer, content)
    os._exit(0)


def _serve(requests: IO[str], events: IO[str]) -> None:
    """Build batches until there are no more, or one fails."""

    def send(kind: str, **more: object) -> None:
        events.write(json.dumps({"kind": kind, **more}) + "\n")
        events.flush()

    try:
        first = json.loads(requests.readline())
        params, staged = Params.model_validate(first["params"]), Path(first["staged"])
        files = open_source_files(Path(params.audio))
        units = select_units(files, params)
        transcript = make_transcript(params, files)
        send("idle")
        for line in requests:
            batch = [units[index] for index in json.loads(line)["units"]]
            for event in build_units(batch, files, params, transcript, staged):
                send("built", **event._asdict())
            send("idle")
    except Exception as error:
        told = error if isinstance(error, UserError) else limits.explain(error)
        if told is not None:
            send("failed", code=told.code, message=told.message, hint=told.hint)
            return
        logger.exception("an ingest worker failed")
        number = error.errno if isinstance(error, OSError) else None
        message = os.strerror(number) if number == errno.ENOSPC else f"{type(error).__name__}: {error}"
        send("failed", code="", message=message, errno=number)


if __name__ == "__main__":
    main()
