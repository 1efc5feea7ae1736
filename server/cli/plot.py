"""``./run.sh plot``: the curves of a job's metrics as a PNG."""

import json
from collections.abc import Sequence
from pathlib import Path

from jobs.errors import UserError
from jobs.escaping import escaped
from jobs.files.copying import copy_file
from jobs.plotting.render_client import draw_job_plot, is_plot
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from server.cli.flags import Parser
from tools.inputs.paths import inside_roots


def plot_command(words: Sequence[str], settings: Settings, about: str) -> str:
    """Draw the curves, copy them to ``--out``, and return the text to print.

    Raises:
        UserError: ``bad_usage``, ``path_outside_roots``, ``path_unusable``, or what ``draw_job_plot`` raises.
    """
    parser = Parser(prog="./run.sh plot", description=about)
    parser.add_argument("job_id", metavar="JOB_ID")
    parser.add_argument("--out", metavar="FILE", help="copy it there too; it is always written to the job's folder")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args(words)
    out = None if options.out is None else inside_roots(options.out, "--out", settings)
    path = draw_job_plot(options.job_id, Runner(settings), settings)
    if out is not None:
        path = _copy(path, out)
    if options.json:
        return json.dumps(escaped({"job_id": options.job_id, "path": str(path)}), ensure_ascii=False) + "\n"
    return f"{path}\n"


def _copy(path: Path, out: Path) -> Path:
    """Copy; in a folder the copy is named after the job."""
    target = out / f"{path.parent.name}.png" if out.is_dir() else out
    if target.exists() and not is_plot(target):
        raise UserError(
            "output_not_ours",
            f"{target} is there and is no picture of this command.",
            "Give another --out, or move it.",
        )
    try:
        copy_file(path, target)
    except OSError as error:
        raise UserError("path_unusable", f"{target} cannot be written: {error}.", "Name another --out.") from error
    return target
