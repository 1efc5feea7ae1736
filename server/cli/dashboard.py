"""Becomes optuna-dashboard over a search's study; on this machine's own address only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs.errors import UserError
from jobs.runner.client.runner import Runner
from jobs.settings import Settings
from jobs.tune_hparams.params import Params, study_of
from jobs.tune_hparams.spec import KIND
from server.cli.flags import Parser

SQLITE = "sqlite:///"


def dashboard_command(words: Sequence[str], settings: Settings, about: str) -> list[str]:
    """The command to become.

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
    if not script.exists():
        missing = f"optuna-dashboard is in the ml environment, and there is no {script}."
        raise UserError("environment_missing", missing, "Run ./run.sh setup ml")
    study = settings.roots[0] / options.study.removeprefix(SQLITE) if options.study else _newest(settings)
    study = study / "optuna_study.db" if study.is_dir() else study
    if not study.is_file():
        raise UserError("study_missing", f"There is no study {study}.", "Start a search with tune_hparams.")
    return [str(python), str(script), "--host", "127.0.0.1", "--port", str(options.port), f"{SQLITE}{study}"]


def _newest(settings: Settings) -> Path:
    for job in Runner(settings).list(kind=KIND.name, limit=1):
        return study_of(Params.model_validate(job.params), Path(job.folder))
    raise UserError("study_missing", "There has been no search yet.", "Start one with tune_hparams, or name its file.")
