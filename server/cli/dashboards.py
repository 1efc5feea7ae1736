"""``./run.sh tensorboard`` and ``./run.sh optuna-dashboard``: other projects' pages, on the loopback address only."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from jobs.errors import UserError
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from jobs.settings import Settings
from jobs.training.spec import KIND as TRAINING
from jobs.tune_hparams.params import Params, study_path
from jobs.tune_hparams.spec import KIND as TUNE_HPARAMS
from server.cli.flags import Parser

ADDRESS = "127.0.0.1"
MOST_RUNS = 500
SQLITE = "sqlite:///"


def tensorboard_command(words: Sequence[str], settings: Settings, about: str) -> NoReturn:
    """Replace this process by TensorBoard. Raises ``UserError`` ``bad_usage`` or ``environment_missing``."""
    _replace_process(tensorboard_line(words, settings, about))


def optuna_command(words: Sequence[str], settings: Settings, about: str) -> NoReturn:
    """Replace this process by optuna-dashboard. Raises ``UserError`` as ``optuna_line`` does."""
    _replace_process(optuna_line(words, settings, about))


def tensorboard_line(words: Sequence[str], settings: Settings, about: str) -> list[str]:
    """Return the command line of TensorBoard. Raises ``UserError`` ``bad_usage`` or ``environment_missing``."""
    parser = Parser(prog="./run.sh tensorboard", description=about)
    parser.add_argument("port", metavar="PORT", nargs="?", type=int, default=6006, help="default: 6006")
    parser.add_argument("--logdir", help="default: every training's log, under its job's id")
    options = parser.parse_args(words)
    python = settings.python("ml")
    _require(python, "TensorBoard")
    logdir = settings.roots[0] / options.logdir if options.logdir else link_runs(settings)
    command = [python, "-m", "tensorboard.main", "--host", ADDRESS, "--port", options.port, "--logdir", logdir]
    return [str(word) for word in command]


def optuna_line(words: Sequence[str], settings: Settings, about: str) -> list[str]:
    """Return the command line of optuna-dashboard.

    Raises:
        UserError: ``bad_usage``, ``study_missing`` or ``environment_missing``.
    """
    parser = Parser(prog="./run.sh optuna-dashboard", description=about)
    parser.add_argument(
        "study", metavar="STUDY", nargs="?", help="optuna_study.db, its folder or sqlite:///…; default: the newest's"
    )
    parser.add_argument("--port", type=int, default=8080, help="default: 8080")
    options = parser.parse_args(words)
    python = settings.python("ml")
    script = python.with_name("optuna-dashboard")
    _require(script, "optuna-dashboard")
    study = settings.roots[0] / options.study.removeprefix(SQLITE) if options.study else _newest_study(settings)
    study = study / "optuna_study.db" if study.is_dir() else study
    if not study.is_file():
        raise UserError("study_missing", f"There is no study {study}.", "Start a search with tune_hparams.")
    return [str(python), str(script), "--host", ADDRESS, "--port", str(options.port), f"{SQLITE}{study}"]


def link_runs(settings: Settings) -> Path:
    """Gather the logs of all trainings in one folder of links, named by job; a log may appear later."""
    folder = settings.home / "tensorboard"
    folder.mkdir(parents=True, exist_ok=True)
    for link in folder.iterdir():
        if link.is_symlink():
            link.unlink()
    for job in Runner(settings).list(kind=TRAINING.name, limit=MOST_RUNS):
        (folder / job.job_id).symlink_to(_log_of(job))
    return folder


def _log_of(job: JobRecord) -> Path:
    """Return the folder of a training's events; before its end only its parameters are known."""
    if job.result is not None:
        return Path(job.result["tensorboard"])
    return Path(job.params.get("out_dir") or Path(job.folder) / "out") / "tensorboard"


def _newest_study(settings: Settings) -> Path:
    for job in Runner(settings).list(kind=TUNE_HPARAMS.name, limit=1):
        return study_path(Params.model_validate(job.params), Path(job.folder))
    raise UserError("study_missing", "There has been no search yet.", "Start one with tune_hparams, or name its file.")


def _require(program: Path, name: str) -> None:
    if not program.exists():
        missing = f"{name} is part of the ml environment, and there is no {program}."
        raise UserError("environment_missing", missing, "Run ./run.sh setup ml")


def _replace_process(command: Sequence[str]) -> NoReturn:
    sys.stderr.write(f"{' '.join(command[1:])}; Ctrl-C ends it.\n")
    sys.stderr.flush()
    os.execv(command[0], list(command))
