"""Client of the plotting modules: a child process of limited time in the ml environment draws the picture."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.files.atomic_io import write_bytes
from jobs.files.reading import open_regular
from jobs.runner.call_text import call_text
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from jobs.runner.progress.metric_history import MetricHistory
from jobs.settings import PROJECT_ROOT, Settings

PLOT = "plot.png"
TIMEOUT_S = 60.0  # the first start of matplotlib makes its font list, seconds; a drawing takes about one
SOFTWARE = "tts-train"  # written into the file, by which it is known again
PNG = b"\x89PNG\r\n\x1a\n"
KEY_BYTES = 4096  # the key is in the first bytes of the file


def draw_job_plot(job_id: str, runner: Runner, settings: Settings) -> Path:
    """Draw the curves of a job's metrics over all its attempts, as a PNG in the job's folder.

    The same history gives the same file: it carries the hash of what it shows and is drawn anew when that changes.
    Raises ``UserError``: ``job_unknown``, ``no_metrics``, ``environment_missing`` or ``plot_failed``.
    """
    record = runner.get(job_id)
    request = build_curves_request(record, runner.history(job_id))
    text = json.dumps(request)
    key = hashlib.sha256(text.encode()).hexdigest()
    path = Path(record.folder) / PLOT
    if not _carries(path, key):
        picture = _draw(json.dumps(request | {"key": key, "software": SOFTWARE}), settings)
        try:
            write_bytes(path, picture)
        except OSError as error:
            raise UserError("plot_failed", f"{path.parent} cannot be written: {error}.", "Check the disk.") from error
    return path


def draw_preview(path: Path, title: str, settings: Settings) -> bytes:
    """Return a preview of a file as a PNG: spectrogram of a sound, histogram of a manifest's clip lengths.

    Raises ``UserError``: ``environment_missing``, ``plot_failed``.
    """
    return _draw(json.dumps({"path": str(path), "title": title}), settings, module="jobs.plotting.pictures")


def build_curves_request(record: JobRecord, history: MetricHistory) -> dict[str, Any]:
    """Build the request for the curves, in plain data. Raises ``no_metrics``.

    Along the work where ``done`` rises, else along the time in minutes.
    """
    if not history.points:
        why = "Its files were collected." if record.is_collected else f"It is {record.state}."
        look = call_text("get_job", {"job_id": record.job_id, "log_lines": 50})
        hint = f"Read its log with {look}." if record.state == "running" else ""
        raise UserError("no_metrics", f"{record.job_id} has reported no metrics that could be drawn. {why}", hint)
    points = history.points
    along_work = points[-1].done > points[0].done
    whole = all(point.done == int(point.done) for point in points)
    curves = {
        name: [
            [point.done if along_work else (point.at - points[0].at) / 60, point.metrics[name]]
            for point in points
            if name in point.metrics
        ]
        for name in history.names
    }
    total = points[-1].total
    of_total = f" of {total:g}" if total else ""
    return {
        "title": record.job_id,
        "state": record.state,
        "detail": f"{points[-1].done:g}{of_total} done" if along_work else "",
        "along": ("step" if whole else "done") + of_total if along_work else "minutes",
        "continued_at": history.continued_at if along_work else [],
        "curves": curves,
    }


def is_plot(path: Path) -> bool:
    """Return whether a file is a picture of curves that was drawn here."""
    return _carries(path, f"Software\0{SOFTWARE}")


def _carries(path: Path, key: str) -> bool:
    try:
        with open_regular(path) as stream:
            start = stream.read(KEY_BYTES)
            return start.startswith(PNG) and key.encode() in start
    except (OSError, UserError):
        return False


def _draw(request: str, settings: Settings, module: str = "jobs.plotting.curves") -> bytes:
    """Return the PNG that a drawing process writes to its stdout."""
    python = settings.python("ml")
    if not python.exists():
        missing = f"Pictures are drawn in the ml environment, and there is no {python}."
        raise UserError("environment_missing", missing, "Call setup, then this again.")
    try:
        done = subprocess.run(
            [str(python), "-m", "jobs.runner.machine.sandbox", module],
            input=request.encode(),
            capture_output=True,
            env=settings.to_environment() | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            cwd=PROJECT_ROOT,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError("plot_failed", f"Drawing took longer than {TIMEOUT_S:g} s.", "Try again.") from error
    except OSError as error:
        raise UserError("plot_failed", f"The curves could not be drawn: {error}.", "./run.sh doctor") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-500:]
        raise UserError("plot_failed", f"The curves could not be drawn: {said}", "")
    return done.stdout
