"""A file is there as a whole or as it was before."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.files import atomic_io
from jobs.files.atomic_io import open_binary, open_text, replacing_folder, write_bytes, write_json, write_text


def test_what_was_written_is_there_and_nothing_else(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"voice": "Zoë"})

    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n "voice": "Zoë"\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_writer_that_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")

    with pytest.raises(TypeError):
        write_json(tmp_path / "a.txt", {"begins": 1, "cannot be written": object()})

    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_stream_that_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")

    def write() -> None:
        with open_text(tmp_path / "a.txt") as stream:
            stream.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()

    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_shorter_bytes_replace_longer_ones(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a.wav", b"longer")

    write_bytes(tmp_path / "a.wav", b"short", sync=False)

    assert (tmp_path / "a.wav").read_bytes() == b"short"


def test_a_folder_takes_its_name_when_it_is_filled_and_the_former_one_goes(tmp_path: Path) -> None:
    write_text(tmp_path / "other", "stays")
    for content in ("old", "new"):
        with replacing_folder(tmp_path / "voice") as folder:
            (folder / "config.json").write_text(content)
            (folder / content).mkdir()

    assert (tmp_path / "voice" / "config.json").read_text() == "new"
    assert sorted(path.name for path in (tmp_path / "voice").iterdir()) == ["config.json", "new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "voice"]


def test_a_folder_is_replaced_where_the_system_cannot_exchange_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic_io.ctypes, "CDLL", lambda name: object())
    for content in ("old", "new"):
        with replacing_folder(tmp_path / "voice") as folder:
            (folder / "config.json").write_text(content)

    assert (tmp_path / "voice" / "config.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["voice"]


@pytest.mark.parametrize(("umask", "file_mode", "folder_mode"), [(0o022, 0o644, 0o755), (0o027, 0o640, 0o750)])
def test_what_is_in_a_new_folder_has_the_umasks_permissions_whatever_wrote_it(
    umask: int, file_mode: int, folder_mode: int, tmp_path: Path
) -> None:
    (tmp_path / "codec").write_text("of a model")
    (tmp_path / "codec").chmod(0o604)
    before = os.umask(umask)
    try:
        with replacing_folder(tmp_path / "voice") as folder:
            (folder / "deep").mkdir(0o700)
            for path in (folder / "model.safetensors", folder / "deep" / "encoder.safetensors"):
                path.touch(0o600)
            os.link(tmp_path / "codec", folder / "codec")
    finally:
        os.umask(before)

    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "voice").rglob("*")}
    assert modes == {
        "model.safetensors": file_mode, "encoder.safetensors": file_mode, "deep": folder_mode, "codec": 0o604,
    }  # fmt: skip


def test_a_folder_that_fails_half_way_leaves_the_former_one(tmp_path: Path) -> None:
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "config.json").write_text("old")

    def fill() -> None:
        with replacing_folder(tmp_path / "voice") as folder:
            (folder / "config.json").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fill()

    assert (tmp_path / "voice" / "config.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["voice"]


def test_leftovers_of_killed_writers_go_and_those_in_use_and_other_files_stay(tmp_path: Path) -> None:
    left, used, foreign = (
        ".a.json.0123456789abcdef.tts-train-new",
        ".b.json.0123456789abcdef.tts-train-new",
        "notes.tmp",
    )
    for name in (left, used, foreign):
        (tmp_path / name).write_text("half")
    (tmp_path / ".voice.0123456789abcdef.tts-train-new").mkdir()
    (tmp_path / ".voice.0123456789abcdef.tts-train-new" / "weights").write_text("half")
    outside = tmp_path / "outside"
    outside.write_text("kept")
    (tmp_path / ".c.json.0123456789abcdef.tts-train-new").symlink_to(outside)

    with (tmp_path / used).open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        write_text(tmp_path / "a.json", "new")

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        used, ".c.json.0123456789abcdef.tts-train-new", "a.json", foreign, "outside"
    ]  # fmt: skip
    assert outside.read_text() == "kept"


def test_an_exchange_of_folders_that_a_kill_has_interrupted_is_taken_back(tmp_path: Path) -> None:
    left, done, used = (f".{name}.0123456789abcdef.tts-train-former" for name in ("voice", "adapter", "base"))
    for name in (left, done, used, "adapter", ".notes.former"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "of").write_text(name)

    descriptor = os.open(tmp_path / used, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    write_text(tmp_path / "a.json", "new")
    os.close(descriptor)

    assert {path.name: (path / "of").read_text() for path in tmp_path.iterdir() if path.is_dir()} == {
        "voice": left, "adapter": "adapter", used: used, ".notes.former": ".notes.former",
    }  # fmt: skip


def test_a_folder_stays_when_the_new_one_cannot_get_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_io.ctypes, "CDLL", lambda name: object())
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "config.json").write_text("old")

    def replace() -> None:
        with replacing_folder(tmp_path / "voice") as folder:
            folder.rmdir()

    with pytest.raises(FileNotFoundError):
        replace()

    assert (tmp_path / "voice" / "config.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["voice"]


def test_a_leftover_is_locked_where_only_a_writer_gets_an_exclusive_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock

    def flock_as_nfs(descriptor: int, operation: int) -> None:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock_as_nfs)
    (tmp_path / ".a.json.0123456789abcdef.tts-train-new").write_text("half")

    write_text(tmp_path / "a.json", "new")

    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("name", ["a.json", "folder/a.json", "link/a.json"])
def test_no_link_is_written_through(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    (outside / "a.json").write_text("kept")
    root = tmp_path / "dataset"
    (root / "folder").mkdir(parents=True)
    (root / "a.json").symlink_to(outside / "a.json")
    (root / "folder" / "a.json").symlink_to(outside / "missing")
    (root / "link").symlink_to(outside)
    for predictable in ("a.json.tmp", ".a.json.tmp", ".a.json.partial"):
        (root / predictable).symlink_to(outside / "a.json")

    if name.startswith("link/"):
        with pytest.raises(UserError) as caught:
            write_text(root / name, "new")
        assert caught.value.code == "path_is_link"
    else:  # the link itself is replaced
        write_text(root / name, "new")
        assert (root / name).read_text() == "new"
        assert not (root / name).is_symlink()

    assert (outside / "a.json").read_text() == "kept"
    assert sorted(path.name for path in outside.iterdir()) == ["a.json", "inner"]


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    with open_binary(tmp_path / "a") as first, open_binary(tmp_path / "a") as second:
        first.write(b"first")
        second.write(b"second")

    assert (tmp_path / "a").read_bytes() == b"first"  # the one that ended last
    assert os.listdir(tmp_path) == ["a"]  # noqa: PTH208
