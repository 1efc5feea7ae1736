"""Files that are no files, too large, or outside the folder."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.files.reading import check_regular, find_root, open_regular, read_bytes, read_lines, resolve_inside


@pytest.fixture(params=["pipe", "socket", "device", "folder", "link to a pipe"])
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Something that has a name and is no regular file."""
    path = tmp_path / "x"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
    elif request.param == "device":
        path = Path("/dev/zero")
    elif request.param == "folder":
        path.mkdir()
    else:
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to("pipe")
    return path


def test_only_regular_files_are_opened_and_nothing_is_waited_for(no_file: Path) -> None:
    for read in (lambda: check_regular(no_file), lambda: read_bytes(no_file, 10), lambda: next(read_lines(no_file, 9))):
        with pytest.raises(UserError) as caught:
            read()
        assert caught.value.code == "file_not_regular"
        assert str(no_file) in caught.value.message


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")

    assert read_bytes(path, 5) == b"12345"
    with open_regular(path) as stream:
        assert stream.read() == b"12345"
    with pytest.raises(UserError) as caught:
        read_bytes(path, 4)
    assert caught.value.code == "file_too_large"


def test_a_long_line_of_a_sparse_file_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"one\ntwo\n")
    with path.open("ab") as stream:
        stream.truncate(3_000_000_000)

    lines = read_lines(path, 100)

    assert [next(lines), next(lines)] == [b"one\n", b"two\n"]
    with pytest.raises(UserError) as caught:
        next(lines)
    assert (caught.value.code, "line 3" in caught.value.message) == ("line_too_long", True)


def test_a_missing_file_is_the_callers_to_explain(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "none", 1)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "link", "links/x", "a\0b"])
def test_a_name_that_leads_out_of_its_folder_is_none(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "links").symlink_to(tmp_path)

    assert resolve_inside(folder, name) is None


@pytest.mark.parametrize("kind", ["models", "datasets"])
def test_a_snapshot_of_a_cache_has_its_repository_as_root(tmp_path: Path, kind: str) -> None:
    repository = tmp_path / f"{kind}--org--name"
    inner = repository / "snapshots" / "0123" / "wavs"
    inner.mkdir(parents=True)
    for name in ("blobs/1", "../other/1"):
        (repository / name).parent.mkdir()
        (repository / name).write_bytes(b"1")
    (inner / "a.wav").symlink_to("../../../blobs/1")
    (inner / "b.wav").symlink_to(tmp_path / "other" / "1")

    assert find_root(inner) == find_root(inner.parent) == repository
    assert resolve_inside(inner.parent, "wavs/a.wav") == resolve_inside(inner, "a.wav") == repository / "blobs" / "1"
    assert resolve_inside(inner, "b.wav") is None


@pytest.mark.parametrize("name", ["models--a/snapshots", "models--a/other/0123", "notes/snapshots/0123"])
def test_a_folder_with_a_like_name_is_its_own_root(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(parents=True)

    assert find_root(tmp_path / name) == tmp_path / name


def test_links_that_stay_inside_are_followed_and_the_folder_itself_may_be_one(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    (folder / "blobs").mkdir(parents=True)
    (folder / "blobs" / "1").write_bytes(b"1")
    (folder / "x").symlink_to("blobs/1")
    (tmp_path / "link").symlink_to("a folder")

    assert resolve_inside(tmp_path / "link", "x") == folder / "blobs" / "1"


def test_a_name_of_megabytes_is_answered_at_once(tmp_path: Path) -> None:
    before_s = time.process_time()

    assert resolve_inside(tmp_path, "a/" * 1_000_000) is None
    assert time.process_time() - before_s < 1
