"""Records of the runner: private, whole, and on space that was taken before."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.files.atomic_io import write_json
from jobs.files.records import LARGEST_BYTES, RESERVED_BYTES, read_record, release, reserve, write_record


@pytest.fixture
def umask() -> Iterator[None]:
    """Files are readable by everybody unless they are made otherwise."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_record_is_read_back_over_its_reserved_space(tmp_path: Path) -> None:
    """Rule 5 of ``jobs.runner``: the space of a record is taken before it is needed."""
    path = tmp_path / "exit.json"
    reserve(path)

    write_record(path, {"code": -9, "spawn_error": "größer"})

    assert read_record(path) == {"code": -9, "spawn_error": "größer"}
    assert [file.name for file in tmp_path.iterdir()] == ["exit.json"]


def test_a_record_larger_than_the_reserved_space_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    reserve(path)

    write_record(path, {"text": "x" * 10_000})

    assert read_record(path) == {"text": "x" * 10_000}


def test_a_torn_or_missing_record_is_none(tmp_path: Path) -> None:
    torn = tmp_path / "torn.json"
    torn.write_text('{"code": ')

    assert read_record(torn) is None
    assert read_record(tmp_path / "missing.json") is None


@pytest.mark.usefixtures("umask")
def test_a_record_and_its_reserved_space_are_private_and_other_files_are_not(tmp_path: Path) -> None:
    reserve(tmp_path / "exit.json")
    reserve(tmp_path / "failure.json")

    write_record(tmp_path / "exit.json", {"code": 0})
    write_record(tmp_path / "job.json", {"text": "a secret"})
    write_json(tmp_path / "report.json", {"loss": 1.0})

    assert {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {
        "exit.json": "0o600", "failure.json.reserved": "0o600", "job.json": "0o600", "report.json": "0o644",
    }  # fmt: skip


def test_reserved_space_stays_after_a_failed_write_and_is_used_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    reserve(tmp_path / "result.json")
    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "pwrite", is_full)
        with pytest.raises(OSError, match="No space left"):
            write_record(tmp_path / "result.json", {"code": 0})

    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == {"result.json.reserved": RESERVED_BYTES}
    write_record(tmp_path / "result.json", {"code": 0})
    assert read_record(tmp_path / "result.json") == {"code": 0}


def test_reserved_space_is_given_back(tmp_path: Path) -> None:
    reserve(tmp_path / "failure.json")

    release(tmp_path / "failure.json")

    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_of_a_records_size_is_no_record_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "result.json")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with (tmp_path / "long.json").open("wb") as stream:
        stream.truncate(LARGEST_BYTES + 1)

    assert [read_record(tmp_path / name) for name in ("result.json", "deep.json", "long.json", "none")] == [None] * 4
