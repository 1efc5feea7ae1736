"""Copies and second names of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.files.copying import copy_file, link_file, link_tree


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of weights, one file in a folder below, and a link to a file elsewhere."""
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    (tmp_path / "blob").write_bytes(b"private")
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "notes.txt").symlink_to(tmp_path / "blob")
    (folder / "deep" / "config.json").write_text("{}")
    return folder


def test_a_tree_gets_second_names_and_no_links(tmp_path: Path, source: Path) -> None:
    link_tree(source, tmp_path / "voice")

    files = sorted(path for path in (tmp_path / "voice").rglob("*") if path.is_file())
    assert [path.name for path in files] == ["config.json", "model.safetensors"]
    assert not any(path.is_symlink() for path in files)
    assert files[1].samefile(source / "model.safetensors")


def test_a_second_name_replaces_what_has_it_and_is_kept_when_it_is_there(tmp_path: Path, source: Path) -> None:
    target = tmp_path / "eval_00.wav"
    target.write_text("old")

    for _ in range(2):
        link_file(source / "deep" / "config.json", target)

    assert target.samefile(source / "deep" / "config.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blob", "eval_00.wav", "source"]


def test_a_link_that_a_killed_process_has_left_goes(tmp_path: Path, source: Path) -> None:
    (tmp_path / ".x.wav.0123456789abcdef.tts-train-new").hardlink_to(source / "model.safetensors")

    link_file(source / "deep" / "config.json", tmp_path / "x.wav")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["blob", "source", "x.wav"]
    assert (source / "model.safetensors").read_bytes() == b"weights"


def test_a_file_that_fewer_may_read_than_its_new_folder_is_copied_with_the_usual_permissions(
    tmp_path: Path, source: Path
) -> None:
    weights, target = source / "model.safetensors", tmp_path / "voice" / "model.safetensors"
    weights.chmod(0o600)
    target.parent.mkdir(0o755)

    link_file(weights, target)

    assert not target.samefile(weights)
    assert target.stat().st_mode & 0o777 == (source / "deep" / "config.json").stat().st_mode & 0o777 != 0o600


def test_a_copy_does_not_go_through_a_link(tmp_path: Path, source: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "copy").symlink_to("kept")
    (tmp_path / "folder").symlink_to("source")

    copy_file(source / "deep" / "config.json", tmp_path / "copy")
    for copy in (copy_file, link_file):
        with pytest.raises(UserError) as caught:
            copy(source / "deep" / "config.json", tmp_path / "folder" / "x")
        assert caught.value.code == "path_is_link"

    assert (tmp_path / "kept").read_text() == "kept"
    assert (tmp_path / "copy").read_text() == "{}"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(UserError) as refused:
        copy_file(tmp_path / "pipe", tmp_path / "copy")

    assert refused.value.code == "file_not_regular"
    assert not (tmp_path / "copy").exists()
