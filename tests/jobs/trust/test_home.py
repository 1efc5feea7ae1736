"""A home is its user's alone: another user's is refused before anything in it is read, an old one is tightened."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from jobs.config import read_config, read_settings
from jobs.errors import UserError
from jobs.runner import supervisor_launcher
from jobs.runner.client.runner import Runner
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.settings import Settings
from jobs.trust.home import open_home

OTHER_USER = 12345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


def mode_of(path: Path) -> int:
    """Return the rights of a file or folder."""
    return path.stat().st_mode & 0o777


def test_a_new_home_and_its_store_are_for_their_user_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")

    with Store(home).transaction():
        modes = {path.name: mode_of(path) for path in home.path.iterdir()}

    assert mode_of(home.path) == 0o700
    assert modes == {"jobs.db": 0o600, "jobs.db-wal": 0o600, "jobs.db-shm": 0o600}


def test_an_old_home_is_tightened_when_it_is_opened(tmp_path: Path) -> None:
    home, shared = tmp_path / "home", tmp_path / "shared"
    for folder in (home, shared):
        folder.mkdir(mode=0o755)
    (home / "jobs").symlink_to(shared)
    with sqlite3.connect(home / "jobs.db") as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    (home / "supervisor.log").write_text("said\n")
    (home / "datasets").mkdir(mode=0o755)

    Store(Home(home)).has_live_jobs()

    assert (mode_of(home), mode_of(shared), mode_of(home / "datasets")) == (0o700, 0o700, 0o755)
    assert (mode_of(home / "jobs.db"), mode_of(home / "supervisor.log")) == (0o600, 0o600)


def test_rights_that_the_user_has_taken_away_stay_away(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "supervisor.log").touch(mode=0o400)

    open_home(home)

    assert mode_of(home / "supervisor.log") == 0o400


@as_root
@pytest.mark.parametrize("theirs", [".", "jobs.db", "config.toml"])
def test_a_home_of_another_user_is_refused_by_everything_that_opens_one(tmp_path: Path, theirs: str) -> None:
    home = tmp_path / "home"
    Store(Home(home)).has_live_jobs()
    (home / "config.toml").write_text('roots = ["/"]\n')
    os.chown(home / theirs, OTHER_USER, OTHER_USER)
    settings = Settings(home, tmp_path / "envs", (tmp_path,))

    for use in (
        lambda: read_settings({"TTS_TRAIN_HOME": str(home)}),
        lambda: read_config(home),
        lambda: Runner(settings).list(),
        lambda: supervisor_launcher.ensure_supervisor(settings),
    ):
        with pytest.raises(UserError, match="owner_untrusted") as refused:
            use()
        assert "TTS_TRAIN_HOME" in refused.value.hint


def test_a_home_that_anybody_can_write_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)

    with pytest.raises(UserError, match="owner_untrusted") as refused:
        Store(Home(home)).has_live_jobs()

    assert "chmod 700" in refused.value.hint
    assert list(home.iterdir()) == []


def test_jobs_on_shared_storage_that_others_can_write_are_refused(tmp_path: Path) -> None:
    home, shared = tmp_path / "home", tmp_path / "shared"
    home.mkdir()
    shared.mkdir()
    shared.chmod(0o777)
    (home / "jobs").symlink_to(shared)

    with pytest.raises(UserError, match=f"owner_untrusted: {shared}"):
        open_home(home)
