"""Shows a job's log, and follows it over restarts of the job."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TextIO

from jobs.runner.client.runner import Runner

LOOK_EVERY_S = 0.3
BLOCK_BYTES = 1 << 16


def show_log(runner: Runner, job_id: str, stream: TextIO, *, follow: bool) -> bool:
    """Copy the log of a job's newest attempt; with ``follow`` until the job is finished.

    Returns:
        False when there was nothing to show.
    """
    path, offset, has_shown = runner.log_path(job_id), 0, False
    while True:
        is_finished = runner.get(job_id).is_finished  # asked before the copy, so that the last words are not missed
        newest = runner.log_path(job_id)
        if newest != path:
            offset = _copy(path, offset, stream)
            path, offset = newest, 0
        end = _copy(path, offset, stream)
        has_shown, offset = has_shown or end > offset, end
        if is_finished or not follow:
            return has_shown
        time.sleep(LOOK_EVERY_S)


def _copy(path: Path, offset: int, stream: TextIO) -> int:
    """Copy what a file has from an offset on; the new offset."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if (
                size < offset
            ):  # shortened in its place, see jobs.runner.shim.log_rotation: what comes from here on is new
                stream.write("[... the log has become too long and was shortened ...]\n")
                offset = size
            file.seek(offset)
            while block := file.read(BLOCK_BYTES):
                stream.write(block.decode("utf-8", errors="replace"))
                offset += len(block)
    except FileNotFoundError:
        return offset
    stream.flush()
    return offset
