"""Folders are made, opened, moved and deleted without following a link."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.files import folders
from jobs.files.folders import make_folder, move, open_folder, open_in_place, refuse_links, remove

APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that a link in ``dataset`` leads to."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "kept").write_text("kept")
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "clips").symlink_to(folder)
    return folder


ACTIONS: list[Callable[[Path], object]] = [
    lambda folder: make_folder(folder / "clips"),
    lambda folder: make_folder(folder / "clips" / "new"),
    lambda folder: remove(folder / "clips" / "kept"),
    lambda folder: move(folder / "file", folder / "clips" / "file"),
    lambda folder: move(folder / "clips" / "kept", folder / "kept"),
    lambda folder: open_in_place(folder / "clips" / "kept", APPEND),
    lambda folder: open_in_place(folder / "scores", APPEND),
    lambda folder: open_in_place(folder / "dangling", APPEND),
    lambda folder: open_in_place(folder / "second name", APPEND),
    lambda folder: refuse_links(folder / "clips"),
    lambda folder: refuse_links(folder / "clips" / "study.db"),
]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_link_is_refused_and_nothing_behind_it_changes(
    tmp_path: Path, outside: Path, action: Callable[[Path], object]
) -> None:
    folder = tmp_path / "dataset"
    (folder / "file").write_text("mine")
    (folder / "scores").symlink_to(outside / "kept")
    (folder / "dangling").symlink_to(outside / "made by the link")
    (folder / "second name").hardlink_to(outside / "kept")

    with pytest.raises(UserError) as caught:
        action(folder)

    assert caught.value.code == "path_is_link"
    assert str(folder) in caught.value.message
    assert [path.name for path in outside.iterdir()] == ["kept"]
    assert (outside / "kept").read_text() == "kept"
    assert (folder / "file").read_text() == "mine"


def test_a_link_itself_is_deleted_and_replaced(tmp_path: Path, outside: Path) -> None:
    folder = tmp_path / "dataset"
    (folder / "file").write_text("mine")
    (folder / "link").symlink_to(outside / "kept")

    remove(folder / "clips")
    move(folder / "file", folder / "link")

    assert [path.name for path in folder.iterdir()] == ["link"]
    assert (folder / "link").read_text() == "mine"
    assert (outside / "kept").read_text() == "kept"


def test_a_folder_goes_with_its_content_but_not_with_what_its_links_name(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "dataset" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "dataset" / "deep" / "er" / "link").symlink_to(outside)

    remove(tmp_path / "dataset")
    remove(tmp_path / "dataset")  # missing is fine

    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
    assert (outside / "kept").read_text() == "kept"


def test_folders_are_made_below_those_that_exist_and_a_file_is_in_the_way(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b") == make_folder(tmp_path / "a" / "b")
    (tmp_path / "a" / "file").write_text("x")

    with pytest.raises(NotADirectoryError) as caught:
        make_folder(tmp_path / "a" / "file" / "c")
    assert caught.value.filename == str(tmp_path / "a" / "file" / "c")
    with pytest.raises(FileNotFoundError), open_folder(tmp_path / "none"):
        pass


def test_a_file_is_opened_in_place(tmp_path: Path) -> None:
    for text in (b"one", b"two"):
        descriptor = open_in_place(tmp_path / "scores", APPEND)
        os.write(descriptor, text)
        os.close(descriptor)

    assert (tmp_path / "scores").read_bytes() == b"onetwo"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "scores")

    with pytest.raises(UserError) as caught:
        open_in_place(tmp_path / "scores", APPEND)

    assert caught.value.code == "file_not_regular"


def test_a_trusted_link_is_followed_and_others_beside_it_are_not(
    tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_trusted", set())
    (tmp_path / "home").mkdir()
    for name in ("jobs", "other"):
        (tmp_path / "home" / name).symlink_to(outside)

    folders.trust_link(tmp_path / "home" / "jobs")

    assert make_folder(tmp_path / "home" / "jobs" / "training-1").is_dir()
    assert (outside / "training-1").is_dir()
    with pytest.raises(UserError):
        make_folder(tmp_path / "home" / "other" / "training-1")
