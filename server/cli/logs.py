"""``./run.sh logs``: shows a job's log, and follows it over restarts of the job."""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from jobs.escaping import escape, escaped
from jobs.files.reading import open_regular
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from server.cli.flags import Parser

LOOK_EVERY_S = 0.3
BLOCK_BYTES = 1 << 16
MOST_JSON_LINES = 100_000


def logs_command(words: Sequence[str], settings: Settings, about: str) -> str:
    """Show a log on stdout, or return it as one JSON object.

    Raises:
        UserError: ``bad_usage`` or ``job_unknown``.
    """
    parser = Parser(prog="./run.sh logs", description=about)
    parser.add_argument("job_id", metavar="JOB_ID")
    parser.add_argument("-f", "--follow", action="store_true", help="continue until the job is finished")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args(words)
    runner = Runner(settings)
    if options.json:
        lines = runner.log_tail(options.job_id, MOST_JSON_LINES)
        answer = {"job_id": options.job_id, "path": str(runner.log_path(options.job_id)), "lines": lines}
        return json.dumps(escaped(answer), ensure_ascii=False) + "\n"
    if not show_log(runner, options.job_id, sys.stdout, follow=options.follow):
        sys.stderr.write(f"{options.job_id} has no log yet.\n")
    return ""


def show_log(runner: Runner, job_id: str, stream: TextIO, *, follow: bool) -> bool:
    """Copy the log of a job's newest attempt; with ``follow`` until the job is finished.

    Returns:
        False if the log is empty.
    """
    path, offset, has_shown = runner.log_path(job_id), 0, False
    while True:
        is_finished = runner.get(job_id).is_finished  # read before the copy, so that the last lines are not missed
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
    """Copy a file from an offset on; return the new offset."""
    try:
        with open_regular(path) as file:
            size = file.seek(0, os.SEEK_END)
            if size < offset:  # truncated in place by jobs.runner.attempt.log_rotation: all that follows is new
                stream.write("[... the log exceeded its limit and was shortened ...]\n")
                offset = size
            file.seek(offset)
            while block := file.read(BLOCK_BYTES):
                text = block.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
                stream.write(escape(text))
                offset += len(block)
    except FileNotFoundError:
        return offset
    stream.flush()
    return offset
