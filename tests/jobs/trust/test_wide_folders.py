"""Folders that no server is given because it happens to start there."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.config import read_settings, read_settings_at_the_shell
from jobs.settings import PROJECT_ROOT
from jobs.trust.wide_folders import is_too_wide


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's home."""
    home = tmp_path / "people" / "ada"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    return home


def test_the_persons_home_what_is_above_it_and_settings_in_it_are_too_wide(person: Path) -> None:
    assert is_too_wide(person)
    assert is_too_wide(person.parent)
    assert is_too_wide(person / ".ssh")
    assert not is_too_wide(person / "books")
    assert not is_too_wide(person / ".agents" / "worktrees" / "voice")


@pytest.mark.parametrize("folder", ["/", "/etc", "/etc/ssl", "/usr", "/var", "/tmp", "/home", "/opt", "/proc/self"])
def test_the_disk_and_folders_of_the_system_are_too_wide(person: Path, folder: str) -> None:
    assert is_too_wide(Path(folder))


@pytest.mark.parametrize("folder", ["/data", "/workspace", "/srv/books", "/opt/work", "/mnt/disk", "/usr/src/app"])
def test_folders_of_work_are_not(person: Path, folder: str) -> None:
    assert not is_too_wide(Path(folder))


@pytest.mark.parametrize("cwd", ["/", "person"])
def test_a_server_that_starts_there_has_the_project_and_the_home_only(person: Path, tmp_path: Path, cwd: str) -> None:
    home = tmp_path / "home"

    settings = read_settings({"TTS_TRAIN_HOME": str(home), "TTS_TRAIN_CWD": str(person if cwd == "person" else cwd)})

    assert settings.roots == (home, PROJECT_ROOT)
    assert read_settings(settings.to_environment({})) == settings


def test_a_folder_of_work_is_still_the_first_root(person: Path, tmp_path: Path) -> None:
    settings = read_settings({"TTS_TRAIN_HOME": str(tmp_path / "home")}, cwd=person / "books")

    assert settings.roots[0] == person / "books"


def test_the_whole_disk_is_a_root_when_it_is_said(person: Path, tmp_path: Path) -> None:
    said = {"TTS_TRAIN_HOME": str(tmp_path / "home"), "TTS_TRAIN_ROOTS": "/"}

    assert read_settings(said, cwd=person).roots == (person, PROJECT_ROOT, tmp_path / "home", Path("/"))


def test_a_person_at_a_shell_may_name_any_path_from_there(person: Path, tmp_path: Path) -> None:
    settings = read_settings_at_the_shell({"TTS_TRAIN_HOME": str(tmp_path / "home")}, cwd=person)

    assert settings.roots == (person, Path("/"))
