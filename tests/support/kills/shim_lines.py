"""Kills of a shim at chosen lines, and what the supervisor's part makes of them: ``shim_lines.py FOLDER < cases``.

A case is a JSON line with ``module``, ``line``, ``hit`` (its n-th time) and ``ends`` (how the work ends). The process
is the supervisor of a home of its own, so that it inherits the worker; an answer is a JSON line.
"""

from __future__ import annotations

import dis
import importlib
import inspect
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

from jobs.runner.client.runner import Runner
from jobs.runner.machine import processes
from jobs.runner.paths import Home
from jobs.runner.store import JobRow, Store
from jobs.runner.supervisor.local_executor import LocalJobs
from jobs.runner.supervisor.scheduler import ClaimedJob
from jobs.settings import PROJECT_ROOT, Settings

HERE = Path(__file__).resolve().parent
CHAOS = HERE.parent / "chaos"
EXIT_CODE = 7  # of the work of chaos
BOUND_S = 60.0
PAUSE_S = 0.005
NOTED = "start.json"

Case = dict[str, Any]


def lines_of(module: str, *functions: str) -> list[int]:
    """Return the lines of a module's functions and methods that can be executed."""
    loaded = importlib.import_module(module)
    found: set[int] = set()
    for name in functions:
        target: Any = loaded
        for part in name.split("."):
            target = getattr(target, part)
        code: CodeType = inspect.unwrap(target).__code__
        found |= {line for _, line in dis.findlinestarts(code) if line and line > code.co_firstlineno}
    return sorted(found)


def line_with(module: str, text: str) -> int:
    """Return the number of the one line of a module that holds a text."""
    lines = inspect.getsource(importlib.import_module(module)).splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if text in line]
    return number


def judge(case: Case, answer: dict[str, Any]) -> str:
    """Name what is false in the outcome of a kill; empty when all of it is true."""
    ended = "end" in answer["journal"]
    state, code = answer["state"], answer["exit_code"]
    if answer["journal"].count("start") > 1:
        return "two workers"
    if state in ("queued", "interrupted"):
        is_lost = ended and answer["was_noted"]
        return f"the end of a worker that was noted is lost: {state}" if is_lost else ""
    if case["ends"] == "exit":
        is_true = ended and (state, code) == ("failed", EXIT_CODE)
    else:
        is_true = ended and state == "succeeded" and code in (0, None if not answer["was_noted"] else 0)
    return "" if is_true else f"{state} {code} {answer['detail']}"


def play(settings: Settings, case: Case, number: int) -> dict[str, Any]:
    """Run one job whose shim is killed at a line, and look after it until its attempt is settled."""
    store, home = Store(Home(settings.home)), Home(settings.home)
    journal = settings.home.parent / f"{number}.journal"
    chaos = importlib.import_module("chaos_kind")  # as the worker imports it
    params = chaos.Params(journal=str(journal), number=number, seconds=0.0, ends=case["ends"])
    job_id = Runner(settings, starts_supervisor=False).submit(chaos.KIND, params).job.job_id
    assert store.claim(job_id, 0, [("cpu", 0)])
    driver = [str(HERE / "shim_with_kill.py"), case["module"], str(case["line"]), str(case["hit"])]
    local = LocalJobs(settings, store, home, driver)
    local.start(ClaimedJob(_row(store, job_id), {}))
    deadline = time.monotonic() + BOUND_S
    while (row := _row(store, job_id)).state in ("starting", "running"):
        assert time.monotonic() < deadline, f"{case} is not settled"
        local.reap()
        local.look_after(row)
        time.sleep(PAUSE_S)
    lines = journal.read_text().split() if journal.exists() else []
    was_noted = (home.attempt(job_id, 1).path / NOTED).exists()
    if row.state in ("queued", "interrupted"):
        Runner(settings, starts_supervisor=False).cancel(job_id)
    return {"state": row.state, "exit_code": row.exit_code, "detail": row.detail, "journal": lines,
            "was_noted": was_noted}  # fmt: skip


def _row(store: Store, job_id: str) -> JobRow:
    row = store.get(job_id)
    assert row is not None
    return row


def play_all(folder: Path, cases: Iterator[Case]) -> Iterator[dict[str, Any]]:
    """Play cases in a home below the folder."""
    processes.become_subreaper()
    os.environ["PYTHONPATH"] = f"{PROJECT_ROOT}:{CHAOS}"
    sys.path.insert(0, str(CHAOS))
    python = folder / "envs" / "ml" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    settings = Settings(
        home=folder / "home", envs=folder / "envs", roots=(folder,), cpu_slots=1, disk_reserve_bytes=1_000_000
    )
    for number, case in enumerate(cases):
        answer = play(settings, case, number)
        yield case | answer | {"false": judge(case, answer)}


def main() -> None:
    """Read cases, write answers."""
    for answer in play_all(Path(sys.argv[1]), map(json.loads, sys.stdin)):
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
