"""Home: checked and tightened when it is opened, because what it holds is run and obeyed. stdlib only.

Its job store says what to run, its ``config.toml`` which folders tools may use.
"""

import os
from pathlib import Path

from jobs.files import owners
from jobs.files.folders import trust_link

CURE = (
    "Set TTS_TRAIN_HOME to a folder that only you can write, such as one in your own home or scratch folder, not in "
    "one that a group shares. If all files in the folder are yours, chmod 700 on it is enough. On a disk that keeps no "
    "owners (a memory card, a Windows drive) a home cannot be private."
)
INTERNAL_FILES = ("jobs.db", "jobs.db-wal", "jobs.db-shm", "supervisor.log", "errors.log", "holds.json")


def is_of_home_itself(path: Path, home: Path) -> bool:
    """Return whether a real path is a file that lies directly in the home: settings, keys and job store."""
    return path.parent == Path(os.path.realpath(home)) and path.exists() and not path.is_dir()


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
