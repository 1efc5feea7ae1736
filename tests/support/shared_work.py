"""Costly work that tests share: done once in a run of the tests, by the first of its processes that needs it."""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

Result = TypeVar("Result")


def do_once(factory: pytest.TempPathFactory, name: str, work: Callable[[Path], Result]) -> tuple[Path, Result]:
    """Return a folder and what ``work`` returned when it filled that folder; tests copy what they change.

    The folder belongs to one run of the tests, so nothing of older code is found in it. Work that fails is done
    again for the next test. The result has to be picklable.
    """
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared work"
    shared.mkdir(exist_ok=True)
    folder, result_file = shared / name, shared / f"{name}.pickle"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result_file.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            result = work(folder)
            new = result_file.with_suffix(".new")
            new.write_bytes(pickle.dumps(result))
            new.rename(result_file)
    return folder, pickle.loads(result_file.read_bytes())
