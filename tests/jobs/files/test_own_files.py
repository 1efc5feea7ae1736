"""What jobs have made is deleted, what anybody else has put beside it stays."""

from __future__ import annotations

import os
import re
from pathlib import Path

from jobs.files.atomic_io import replacing_folder
from jobs.files.own_files import remove_own, walk_files

OWN = re.compile(r"(inner/)?(config\.json|model\.safetensors)")
ALL = re.compile(".*")


def fill(folder: Path) -> Path:
    """Make a folder of a job's files and a person's, one of each in a folder within, a copy, and a person's link."""
    for name in ("config.json", "inner/model.safetensors", "notes.txt", "inner/mine.wav", "monday/config.json"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / "link").symlink_to("nowhere")
    return folder


def listed(folder: Path) -> list[str]:
    """Names of all files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in walk_files(folder))


def test_only_own_files_are_deleted_and_folders_without_others(tmp_path: Path) -> None:
    folder = fill(tmp_path / "voice")
    (folder / "planned").mkdir()

    remove_own(folder, OWN)

    assert listed(folder) == ["inner/mine.wav", "link", "monday/config.json", "notes.txt"]
    assert (folder / "planned").is_dir()
    (folder / "planned").rmdir()
    remove_own(folder, ALL)
    assert not folder.exists()
    remove_own(folder, OWN)  # missing is fine


def test_a_link_is_deleted_and_not_what_it_leads_to(tmp_path: Path) -> None:
    folder = fill(tmp_path / "elsewhere")
    (tmp_path / "voice").symlink_to(folder)

    remove_own(tmp_path / "voice", OWN)

    assert not (tmp_path / "voice").is_symlink()
    assert len(listed(folder)) == 6


def test_a_replaced_folder_keeps_what_is_not_its_own(tmp_path: Path) -> None:
    folder = fill(tmp_path / "voice")
    with replacing_folder(folder, OWN) as new:
        (new / "config.json").write_text("new")
        (new / "notes.txt").write_text("of the job this time")

    assert listed(folder) == ["config.json", "inner/mine.wav", "link", "monday/config.json", "notes.txt"]
    assert (folder / "config.json").read_text() == "new"
    assert (folder / "notes.txt").read_text() == "of the job this time"
    assert (folder / "inner" / "mine.wav").read_text() == "inner/mine.wav"
    assert os.readlink(folder / "link") == "nowhere"  # noqa: PTH115 (text of the link)
    assert os.listdir(tmp_path) == ["voice"]  # noqa: PTH208 (names)


def test_a_folder_of_any_depth_is_walked(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.mkdir()
    at = os.open(deep, os.O_DIRECTORY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=at)
        inner = os.open("d", os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)

    assert len(list(walk_files(deep))) == 1
    remove_own(deep, ALL)
    assert not deep.exists()
