"""Locks that the kernel frees."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.runner.machine import locks


def test_a_lock_is_held_until_its_holder_is_killed(tmp_path: Path) -> None:
    """Rule 1 of ``jobs.runner``: the kernel frees the lock of a process that dies."""
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


def test_a_lock_is_never_made_through_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "attempt-2").symlink_to(elsewhere)
    (tmp_path / "lock").symlink_to(elsewhere / "new")

    for path in (tmp_path / "attempt-2" / "shim.lock", tmp_path / "lock"):
        with pytest.raises(UserError) as refused:
            locks.take(path, wait=True)
        assert refused.value.code == "path_is_link"
    assert list(elsewhere.iterdir()) == []
