"""Records that are whole or not there, and locks that the kernel frees."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from jobs.runner import durable
from jobs.runner.machine import locks


def test_a_record_is_read_back_over_its_reserved_space(tmp_path: Path) -> None:
    """Rule 5: the space of a record is taken before it is needed."""
    path = tmp_path / "exit.json"
    durable.reserve(path)

    durable.write_json(path, {"code": -9, "spawn_error": "größer"})

    assert durable.read_json(path) == {"code": -9, "spawn_error": "größer"}
    assert [file.name for file in tmp_path.iterdir()] == ["exit.json"]


def test_a_record_larger_than_the_reserved_space_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    durable.reserve(path)

    durable.write_json(path, {"text": "x" * 10_000})

    assert durable.read_json(path) == {"text": "x" * 10_000}


def test_a_torn_or_missing_record_is_none(tmp_path: Path) -> None:
    torn = tmp_path / "torn.json"
    torn.write_text('{"code": ')

    assert durable.read_json(torn) is None
    assert durable.read_json(tmp_path / "missing.json") is None


def test_reserved_space_is_given_back(tmp_path: Path) -> None:
    durable.reserve(tmp_path / "failure.json")

    durable.release(tmp_path / "failure.json")

    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_held_until_its_holder_is_killed(tmp_path: Path) -> None:
    """Rule 1: the kernel frees the lock of whoever dies."""
    path = tmp_path / "shim.lock"
    script = (
        "import sys; from pathlib import Path; from jobs.runner.machine import locks\n"
        "locks.take(Path(sys.argv[1]), wait=True); print('held', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"

    was_held, refused = locks.is_held(path), locks.take(path, wait=False)
    holder.kill()
    taken = locks.take(path, wait=True)
    holder.communicate()

    assert was_held
    assert refused is None
    assert taken is not None
    assert locks.is_held(path)
    os.close(taken)
    assert not locks.is_held(path)


def test_a_lock_that_was_never_taken_is_free(tmp_path: Path) -> None:
    assert not locks.is_held(tmp_path / "never")
    assert not (tmp_path / "never").exists()
