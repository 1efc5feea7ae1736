"""``./run.sh tensorboard`` and ``./run.sh optuna-dashboard``: other projects' pages behind our key, until Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from jobs.errors import UserError
from jobs.files.reading import open_regular
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from jobs.settings import Settings
from jobs.training.spec import KIND as TRAINING
from jobs.tune_hparams.params import Params, study_path
from jobs.tune_hparams.spec import KIND as TUNE_HPARAMS
from server.cli.flags import Parser
from server.dashboards.proxy import DashboardServer
from server.stderr_log import log_to_stderr

MOST_RUNS = 500
SQLITE = "sqlite:///"
SQLITE_HEADER = b"SQLite format 3\0"
CHILD = Path(__file__).with_name("child.py")
LOG_TAIL_BYTES = 2000
TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Dashboard:
    """Program, source and port of one dashboard.

    Attributes:
        program: as ``child.py`` names it.
        source: folder of logs or file of a study; made in a private folder, which is the argument.
        port: 0 takes a free one.
    """

    program: Literal["tensorboard", "optuna-dashboard"]
    source: Callable[[Path], Path]
    port: int


@dataclass(frozen=True)
class Running:
    """A dashboard's process with its private folder, and the server before it."""

    server: DashboardServer
    process: subprocess.Popen[bytes]
    folder: Path


def tensorboard_command(words: Sequence[str], settings: Settings, about: str) -> str:
    """Serve TensorBoard until Ctrl-C. Raises ``UserError`` as ``tensorboard`` and ``serving`` do."""
    return _serve(tensorboard(words, settings, about), settings)


def optuna_command(words: Sequence[str], settings: Settings, about: str) -> str:
    """Serve optuna-dashboard until Ctrl-C. Raises ``UserError`` as ``optuna_dashboard`` and ``serving`` do."""
    return _serve(optuna_dashboard(words, settings, about), settings)


def tensorboard(words: Sequence[str], settings: Settings, about: str) -> Dashboard:
    """Read the words of a command line. Raises ``UserError`` ``bad_usage``."""
    parser = Parser(prog="./run.sh tensorboard", description=about)
    parser.add_argument("port", metavar="PORT", nargs="?", type=int, default=6006, help="default: 6006")
    parser.add_argument("--logdir", help="default: every training's log, under its job's id")
    options = parser.parse_args(words)
    logdir = settings.roots[0] / options.logdir if options.logdir else None
    return Dashboard("tensorboard", lambda folder: logdir or link_runs(settings, folder), options.port)


def optuna_dashboard(words: Sequence[str], settings: Settings, about: str) -> Dashboard:
    """Read the words of a command line. Raises ``UserError`` ``bad_usage`` or ``study_missing``."""
    parser = Parser(prog="./run.sh optuna-dashboard", description=about)
    parser.add_argument(
        "study", metavar="STUDY", nargs="?", help="optuna_study.db, its folder or sqlite:///…; default: the newest's"
    )
    parser.add_argument("--port", type=int, default=8080, help="default: 8080")
    options = parser.parse_args(words)
    study = settings.roots[0] / options.study.removeprefix(SQLITE) if options.study else _newest_study(settings)
    study = study / "optuna_study.db" if study.is_dir() else study
    if not study.is_file():
        raise UserError("study_missing", f"There is no study {study}.", "Start a search with tune_hparams.")
    with open_regular(study) as stream:
        if stream.read(len(SQLITE_HEADER)) != SQLITE_HEADER:
            raise UserError(
                "study_missing",
                f"{study} is no study: no SQLite database.",
                "Name the optuna_study.db of a search by tune_hparams.",
            )
    _refuse_own_sql(study)
    return Dashboard("optuna-dashboard", lambda folder: study, options.port)


def _refuse_own_sql(study: Path) -> None:
    """Refuse a database with anything but plain tables and indices: other parts of a stranger's are programs."""
    select = (
        "SELECT type, name FROM sqlite_master WHERE type NOT IN ('table', 'index') OR rootpage = 0 "
        "UNION ALL SELECT 'generated column', x.name FROM sqlite_master m, pragma_table_xinfo(m.name) x "
        "WHERE x.hidden > 1 "
        "UNION ALL SELECT 'index of expressions', m.name FROM sqlite_master m, pragma_index_xinfo(m.name) x "
        "WHERE m.type = 'index' AND x.cid = -2 LIMIT 1"
    )
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(study))}?mode=ro", uri=True)) as connection:
            other = connection.execute(select).fetchone()
    except sqlite3.Error as error:
        reason = f"it cannot be read ({error})"
    else:
        if other is None:
            return
        reason = f"it holds the {other[0]} {str(other[1])[:100]!r}, which optuna does not make"
    raise UserError(
        "study_missing", f"{study} is no study: {reason}.", "Name the optuna_study.db of a search by tune_hparams."
    )


def link_runs(settings: Settings, folder: Path) -> Path:
    """Gather the logs of all trainings in a new folder of links, named by job; a log may appear later.

    A link in the place of a log is left out: it would show what lies elsewhere.
    """
    runs = folder / "runs"
    runs.mkdir()
    for job in Runner(settings).list(kind=TRAINING.name, limit=MOST_RUNS):
        log = _log_of(job)
        if not log.is_symlink():
            (runs / job.job_id).symlink_to(log)
    return runs


@contextlib.contextmanager
def serving(dashboard: Dashboard, settings: Settings) -> Iterator[Running]:
    """Start a dashboard's process and make the server before it; end both.

    Raises:
        UserError: ``environment_missing``, ``port_taken``, or ``dashboard_failed`` if the process ended before.
    """
    python = settings.python("ml")
    if not python.exists():
        missing = f"{dashboard.program} is part of the ml environment, and there is no {python}."
        raise UserError("environment_missing", missing, "Call setup, then this again.")
    with tempfile.TemporaryDirectory(prefix="tts-train-") as name:  # mode 0700
        folder = Path(name)
        socket, log = folder / "socket", folder / "log"
        with (
            DashboardServer(socket, dashboard.port, reads_by_post=dashboard.program == "tensorboard") as server,
            log.open("wb") as stream,
        ):
            process = subprocess.Popen(
                [python, CHILD, dashboard.program, socket, dashboard.source(folder)],
                env=settings.to_environment() | {"TMPDIR": name},
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                cwd=folder,  # libraries look for others in the working directory, which may be a stranger's
                start_new_session=True,  # Ctrl-C is for this process, which ends it
            )
            try:
                yield Running(server, process, folder)
                if process.poll() is not None:
                    last = log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
                    failed = f"{dashboard.program} ended with status {process.returncode}: {last}"
                    raise UserError("dashboard_failed", failed, "If packages are missing, call setup")
            finally:
                process.kill()
                process.communicate()


def _serve(dashboard: Dashboard, settings: Settings) -> str:
    log_to_stderr()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(TERMINATED))  # else nothing would be removed
    with serving(dashboard, settings) as running:

        def stop_with_process() -> None:
            running.process.wait()
            running.server.stop()

        threading.Thread(target=stop_with_process, daemon=True).start()
        sys.stderr.write(f"Open {running.server.url}  ({dashboard.program}; Ctrl-C ends it)\n")
        sys.stderr.flush()
        running.server.serve()
    return ""


def _log_of(job: JobRecord) -> Path:
    """Return the folder of a training's events; before its end only its parameters are known."""
    if job.result is not None:
        return Path(job.result["tensorboard"])
    return Path(job.params.get("out_dir") or Path(job.folder) / "out") / "tensorboard"


def _newest_study(settings: Settings) -> Path:
    for job in Runner(settings).list(kind=TUNE_HPARAMS.name, limit=1):
        return study_path(Params.model_validate(job.params), Path(job.folder))
    raise UserError("study_missing", "There has been no search yet.", "Start one with tune_hparams, or name its file.")
