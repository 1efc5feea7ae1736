"""One attempt's guardian: starts the worker, passes a cancel on, and writes down how it ended.

``python -m jobs.runner.shim HOME JOB ATTEMPT``. Small and stdlib only: it starts in tens of milliseconds and
stays in memory for as long as the job runs. Liveness is its lock, truth is its ``exit.json``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs.runner import durable, launch, locks, processes
from jobs.runner.layout import AttemptFolder, Home
from jobs.runner.outcome import Exit, outcome_of
from jobs.runner.provenance import provenance
from jobs.runner.store import JobRow, Store
from jobs.settings import Settings

logger = logging.getLogger("jobs.runner.shim")

TICK_S = 1.0
SPAWN_FAILED_EXIT = 127  # as a shell says "command not found"


def run_attempt(settings: Settings, job_id: str, attempt: int) -> None:
    """Run one attempt to its end, unless it was given up before it began."""
    processes.become_subreaper()
    home = Home(settings.home)
    folder = home.attempt(job_id, attempt)
    folder.path.mkdir(parents=True, exist_ok=True)
    # Waiting for the locks: a supervisor that probes them holds them for a moment.
    locks.take(folder.shim_lock, wait=True)  # held until this process ends
    tree_lock = locks.take(folder.tree_lock, wait=True)
    assert tree_lock is not None
    durable.reserve(folder.exit)
    with _control(folder) as control:
        store = Store(home)
        if not store.begin(job_id, attempt):
            logger.info("%s attempt %d was given up before it began", job_id, attempt)
            return
        row = store.get(job_id)
        assert row is not None
        exit_ = _run_worker(row, folder, settings, tree_lock, control)
        left = processes.end_tree(mark_of(row), root=os.getpid())
        if left:
            logger.warning("%s: processes %s could not be killed", job_id, left)
        durable.write_json(folder.exit, dataclasses.asdict(exit_) | {"at": time.time()})
        finish(store, folder, row, exit_)
    launch.wake(home)


def finish(store: Store, folder: AttemptFolder, row: JobRow, exit_: Exit | None) -> None:
    """Move an attempt to its end in the store. Also used by the supervisor for attempts whose shim is gone."""
    result, failure = durable.read_json(folder.result), durable.read_json(folder.failure)
    outcome = outcome_of(exit_, result, failure, cancel_asked=bool(row.cancel))
    if store.finish(row.id, row.attempt, outcome):
        logger.info("%s attempt %d: %s %s", row.id, row.attempt, outcome.state, outcome.detail)


def mark_of(row: JobRow) -> str:
    """What every process of an attempt carries in its environment."""
    return f"{row.id}/{row.attempt}"


def _run_worker(row: JobRow, folder: AttemptFolder, settings: Settings, tree_lock: int, control: int) -> Exit:
    document = json.loads(row.document)
    n_oom_kills = processes.n_oom_kills()
    try:
        durable.write_json(Home(settings.home).job_file(row.id), document | {"ran_with": provenance(row.environment)})
        worker = _spawn(row, folder, _settings_of_job(settings, document), tree_lock)
    except OSError as error:
        return Exit(SPAWN_FAILED_EXIT, spawn_error=str(error))
    finally:
        os.close(tree_lock)  # from here on only the worker's tree holds it
    durable.write_json(
        folder.start, {"pid": worker.pid, "start_time": processes.start_time(worker.pid), "shim": os.getpid()}
    )
    code, cancelled = _watch(worker, control, settings.cancel_grace_s)
    return Exit(code, cancelled, oom=code == -signal.SIGKILL and processes.n_oom_kills() > n_oom_kills)


def _settings_of_job(settings: Settings, document: dict[str, Any]) -> Settings:
    """The submitter's view of the world; the home and the slots are those of the supervisor."""
    asked = document["settings"]
    return dataclasses.replace(
        settings,
        envs=Path(asked["envs"]),
        roots=tuple(Path(root) for root in asked["roots"]),
        hub_cache=Path(asked["hub_cache"]),
        torch_cache=Path(asked["torch_cache"]),
    )


def _spawn(row: JobRow, folder: AttemptFolder, settings: Settings, tree_lock: int) -> subprocess.Popen[bytes]:
    environment = settings.to_environment() | {processes.MARK: mark_of(row)}
    with folder.log.open("ab") as log:  # straight to the file: a pipe through the shim would die with it
        return subprocess.Popen(
            [str(settings.python(row.environment)), "-m", "jobs.runner.worker", str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=folder.path.parent,
            start_new_session=True,
            pass_fds=[tree_lock],
        )


def _watch(worker: subprocess.Popen[bytes], control: int, grace_s: float) -> tuple[int, bool]:
    """Wait for the worker's end: its exit code, and whether it was told to stop."""
    ended = os.pidfd_open(worker.pid) if hasattr(os, "pidfd_open") else None
    watched = [descriptor for descriptor in (ended, control) if descriptor is not None]
    kill_at: float | None = None
    while (code := _end_of(worker)) is None:
        ready, _, _ = select.select(watched, [], [], TICK_S if ended is not None and kill_at is None else TICK_S / 5)
        if control in ready:
            os.read(control, 4096)
            if kill_at is None:
                kill_at = time.monotonic() + grace_s
                processes.signal_group(worker.pid, signal.SIGTERM)
        if kill_at is not None and time.monotonic() >= kill_at:
            processes.signal_group(worker.pid, signal.SIGKILL)
    if ended is not None:
        os.close(ended)
    return code, kill_at is not None


def _end_of(worker: subprocess.Popen[bytes]) -> int | None:
    """Collect the orphans of the worker that have ended; the worker's exit code, or None while it runs.

    The worker itself is only looked at, not collected: should this process be killed before it has written the
    code down, the supervisor inherits the zombie and still finds the exact code.
    """
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return worker.poll()
    while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
        if ended.si_pid == worker.pid:
            worker.returncode = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
            return worker.returncode
        os.waitpid(ended.si_pid, 0)
    return None


@contextlib.contextmanager
def _control(folder: AttemptFolder) -> Iterator[int]:
    """The fifo through which a cancel comes. Opened for writing, too, so that it never reads as ended."""
    os.mkfifo(folder.control, 0o600)
    descriptor = os.open(folder.control, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _outlive_shutdown_signals() -> None:
    """Stay to write down how the worker ended when a shutdown sends SIGTERM to everybody.

    Handlers, not SIG_IGN, which the worker would inherit.
    """
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: None)


def main() -> None:
    """Entry of ``python -m jobs.runner.shim``."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s shim %(levelname)s: %(message)s")
    _outlive_shutdown_signals()
    run_attempt(Settings.from_environment(), sys.argv[2], int(sys.argv[3]))


if __name__ == "__main__":
    main()
