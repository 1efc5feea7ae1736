"""``./run.sh plot``: the curves of what a job has measured, as a PNG."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from jobs.plotting.ask import plot_of
from jobs.runner.client import Runner
from jobs.settings import Settings
from server.cli_flags import Parser


def plot_job(words: Sequence[str], settings: Settings, about: str) -> str:
    """Draw a job's metrics. Returns what to print: the file's path.

    Raises:
        UserError: ``bad_usage``, ``job_unknown``, ``no_metrics``, ``environment_missing`` or ``plot_failed``.
    """
    parser = Parser(prog="./run.sh plot", description=about)
    parser.add_argument("job_id", metavar="JOB_ID")
    parser.add_argument("--out", help="where to put it; default: plot.png in the job's folder")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args(words)
    path = plot_of(options.job_id, Runner(settings), settings)
    if options.out is not None:
        path = Path(shutil.copyfile(path, settings.roots[0] / options.out))
    return json.dumps({"job_id": options.job_id, "plot": str(path)}) + "\n" if options.json else f"{path}\n"
