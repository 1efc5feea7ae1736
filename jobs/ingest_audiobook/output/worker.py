"""Worker process of an ingest: ``python -m jobs.ingest_audiobook.output.worker``, started by ``worker_pool``.

It reads batches of units from standard input and writes events to standard output, one JSON object a line. It ends
when its parent ends, however that happens.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import logging
import os
import signal
import threading
from pathlib import Path
from typing import IO

from jobs.errors import UserError
from jobs.ingest_audiobook.input.audio_buffer import release_large_blocks
from jobs.ingest_audiobook.input.selection import select_units
from jobs.ingest_audiobook.input.source_files import open_source_files
from jobs.ingest_audiobook.output.unit_builder import ChunkDone, build_units
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.text.text_sources import make_transcript

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1  # linux/prctl.h


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
                if isinstance(event, ChunkDone):
                    send("chunk_done", unit=event.unit, duration_s=event.duration_s)
                else:
                    send("unit_done", unit=event.unit)
            send("idle")
    except UserError as error:
        send("failed", code=error.code, message=error.message, hint=error.hint, errno=None)
    except Exception as error:
        logger.exception("an ingest worker failed")
        number = error.errno if isinstance(error, OSError) else None
        is_disk_full = number == errno.ENOSPC
        message = error.strerror if is_disk_full and isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        send("failed", code="", message=message, hint="", errno=number)


if __name__ == "__main__":
    main()
