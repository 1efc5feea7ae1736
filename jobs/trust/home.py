"""Home: checked and tightened when it is opened, because what it holds is run and obeyed. stdlib only.

Its job store says what to run, its ``config.toml`` which folders tools may use.
"""

import os
from pathlib import Path

from jobs.files.folders import trust_link
from jobs.trust import owners

CURE = (
    "Set TTS_TRAIN_HOME to a folder that only you can write, such as one in your own home or scratch folder, not in "
    "one that a group shares. If all files in the folder are yours, chmod 700 on it is enough. On a disk that keeps no "
    "owners (a memory card, a Windows drive) a home cannot be private."
)
INTERNAL_FILES = ("jobs.db", "jobs.db-wal", "jobs.db-shm", "supervisor.log", "errors.log", "holds.json")


# Folders of the home, and of the project, that hold outputs; all else there is the program's own.
OUTPUT_FOLDERS = frozenset(
    {"datasets", "voices", "takes", "runs", "demo"}
    | {"checkpoints", "evaluations", "final_model", "hyperparameter_search"}  # of the original skill
)
# Of the home, what may be read besides: results of research, and weights.
INPUT_FOLDERS = OUTPUT_FOLDERS | {"research", "models"}
JOBS, JOB_OUTPUTS = "jobs", frozenset({"out", "dataset"})
"""Folder of the jobs' folders, and what is in one of them for others."""


def is_of_home_itself(path: Path, home: Path) -> bool:
    """Return whether a real path is in the home and no output: settings, keys, job store, records of jobs."""
    real = Path(os.path.realpath(home))
    if not path.is_relative_to(real) or not path.exists():
        return False
    parts = path.relative_to(real).parts
    is_output = (
        len(parts) > 2 and parts[2] in JOB_OUTPUTS
        if parts[:1] == (JOBS,)
        else bool(INPUT_FOLDERS.intersection(parts[:1]))
    )
    return not is_output


def check_home(path: Path) -> None:
    """Refuse a home that another user could change or replace, and jobs' folders that lie elsewhere alike.

    Raises:
        UserError: ``owner_untrusted``.
    """
    owners.check(path, CURE)
    if path.is_dir():
        owners.check_entries(path, CURE)
        if (path / "jobs").is_symlink():
            owners.check(path / "jobs", CURE)
            follow_jobs_link(path)


def follow_jobs_link(path: Path) -> None:
    """Let this process write into jobs' folders that a link of the home leads to."""
    trust_link(path / "jobs")


def open_home(path: Path) -> None:
    """Make the home for its user alone, or take the rights of others away from an old one.

    Raises:
        UserError: ``owner_untrusted``.
        OSError: it cannot be made.
    """
    check_home(path)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    owners.tighten(path)
    if (path / "jobs").is_symlink():  # on shared storage, for the nodes of a cluster
        owners.tighten((path / "jobs").resolve())
    for name in INTERNAL_FILES:
        owners.tighten(path / name)
