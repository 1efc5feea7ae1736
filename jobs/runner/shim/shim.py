"""Shim: starts the worker of one attempt, passes a cancel on, and records the worker's exit. stdlib only.

``python -m jobs.runner.shim HOME JOB ATTEMPT`` beside the store; ``--remote ATTEMPT_FOLDER`` on another machine, which
shares only that folder with the supervisor. It starts in tens of milliseconds and stays in memory while the job runs.
Its lock shows that it is alive (on another machine: its ``alive`` file); ``exit.json`` is its record.
"""

import compileall
import contextlib
import dataclasses
import errno
import json
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.files import records
from jobs.files.atomic_io import write_text
from jobs.files.folders import make_folder, remove
from jobs.runner import supervisor_launcher
from jobs.runner.attempt import claim, left_outputs, log_rotation
from jobs.runner.attempt.continuation import take_over
from jobs.runner.attempt.outcome import Exit
from jobs.runner.attempt.path_mapping import map_back
from jobs.runner.attempt.spec import AttemptSpec
from jobs.runner.machine import locks, processes
from jobs.runner.machine.sandbox import library_caches
from jobs.runner.paths import AttemptFolder, Home
from jobs.runner.provenance import provenance
from jobs.runner.shim import torchrun
from jobs.runner.shim.cancellation import STOP, StopReason, Watchdog, WorkerLimits
from jobs.runner.store import Store, finish_attempt
from jobs.settings import PROJECT_ROOT, Settings
from jobs.trust import landlock
from jobs.trust.home import follow_jobs_link

logger = logging.getLogger("jobs.runner.shim")

SPAWN_FAILED_EXIT = 127  # as a shell says "command not found"
PASSING = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # of a machine that is full for a moment
SPAWN_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0)
ALIVE_S = 5.0  # between two signs of life of a remote shim
LAST_WORDS_S = 15.0  # of Slurm's notice, reserved to kill the process tree and to record the exit
# bitsandbytes makes torch 2.8 start a process for each core at import, in case something will be compiled: 8 CPU
# seconds and 0.7 GB each (measured). So one starts them that does compile.
UNASKED_POOL = {"TORCH_WARM_POOL": "0"}
# A thread of OpenMP that waits for the others spins by default, which takes the core from the one that it waits for
# when the machine has other work (GNU's runtime, which torch uses, and Intel's): ``./run.sh bench threads``.
SLEEPING_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}


def run_attempt(settings: Settings, job_id: str, attempt: int) -> None:
    """Run one attempt to its end, unless it was given up before it began."""
    processes.become_subreaper()
    home = Home(settings.home)
    folder = home.attempt(job_id, attempt)
    make_folder(folder.path)
    # Waiting for the locks: a supervisor that probes them holds them for a moment.
    locks.take(folder.shim_lock, wait=True)  # held until this process ends
    tree_lock = locks.take(folder.tree_lock, wait=True)
    assert tree_lock is not None
    records.reserve(folder.exit)
    with _control(folder) as control:
        store = Store(home)
        if not store.begin(job_id, attempt):
            logger.info("%s attempt %d was given up before it began", job_id, attempt)
            return
        row = store.get(job_id)
        assert row is not None
        exit_ = _run_worker(row.attempt_spec, folder, settings, control, tree_lock=tree_lock)
        finish_attempt(store, folder, row, exit_)
    supervisor_launcher.wake(home)


def run_remote_attempt(settings: Settings, folder: AttemptFolder) -> None:
    """The same where there is no store: ``attempt.json`` says what to run, ``claim`` who may run it."""
    processes.become_subreaper()
    task = json.loads(folder.task.read_text(encoding="utf-8"))
    task.pop("python", None)  # of an older version: the settings say which interpreter
    spec = AttemptSpec(**task)
    # A name that never comes twice: Slurm may start the same script again.
    if not claim.take(folder.path, f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"):
        logger.info("%s attempt %d was given up, or is run by somebody else", spec.job_id, spec.attempt)
        return
    records.reserve(folder.exit)
    reading, writing = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(writing, STOP))
    _run_worker(spec, folder, settings, reading, is_remote=True)


def _run_worker(
    spec: AttemptSpec,
    folder: AttemptFolder,
    settings: Settings,
    control: int,
    *,
    tree_lock: int | None = None,
    is_remote: bool = False,
) -> Exit:
    """Run the worker, kill the processes that it leaves, and record its exit."""
    exit_ = _watched(spec, folder, settings, control, tree_lock, is_remote)
    # By the mark only where the work starts jobs: a supervisor that it needed, and its jobs, descend from this process.
    left = processes.end_tree(spec.mark, root=None if spec.is_director else os.getpid())
    if left:
        logger.warning("%s: processes %s could not be killed", spec.job_id, left)
    with contextlib.suppress(OSError, UserError):  # the folder may be another one's by now: the worker could write here
        remove(folder.temporary)
    with contextlib.suppress(OSError):  # the exit record matters more
        map_back(folder, spec.path_map)
    if not spec.is_director:  # whose children may still write its outputs, for its next attempt
        left_outputs.seal(folder, spec.job_id)
    records.write_record(folder.exit, dataclasses.asdict(exit_) | {"at": time.time()})
    return exit_


def _watched(
    spec: AttemptSpec, folder: AttemptFolder, settings: Settings, control: int, tree_lock: int | None, is_remote: bool
) -> Exit:
    n_oom_kills = processes.n_oom_kills()
    left_outputs.show_life(folder)
    try:
        if former := spec.document.get("continues"):
            take_over(folder, former)
        document = spec.document | {"ran_with": provenance(spec.environment)}
        records.write_record(folder.path.parent / "job.json", document)
        worker = _spawn_patiently(spec, folder, _settings_of_job(settings, spec.document), tree_lock, is_remote)
    except (OSError, ValueError, UserError) as error:
        return Exit(SPAWN_FAILED_EXIT, spawn_error=str(error))
    finally:
        if tree_lock is not None:
            os.close(tree_lock)  # from here on only the worker's tree holds it
    records.write_record(
        folder.start,
        {
            "pid": worker.pid,
            "start_time": processes.start_time(worker.pid, also_ended=True),
            "shim": os.getpid(),
            "shim_start_time": processes.start_time(os.getpid()),
        },
    )
    stop_grace_s = max(settings.cancel_grace_s, settings.slurm.stop_s - LAST_WORDS_S)
    limits = WorkerLimits(settings.cancel_grace_s, stop_grace_s, spec.max_run_s)
    by_srun = is_remote and spec.n_processes > 1 and settings.slurm.nodes > 1
    stop = partial(torchrun.stop_all_nodes, spec, worker) if by_srun else None
    watchdog = Watchdog(worker, control, limits, Ticks(spec, folder, settings, is_remote), stop)
    code = watchdog.wait()
    if spec.n_processes > 1:
        code = torchrun.merge_exit_codes(folder, code, watchdog.asked)
    return Exit(
        code,
        cancelled=watchdog.asked == "cancel",
        # not a director: while it lived its children may have run out of memory, which it holds little of
        oom=code == -signal.SIGKILL and processes.n_oom_kills() > n_oom_kills and not spec.is_director,
        timed_out=watchdog.asked == "timeout",
    )


class Ticks:
    """Work of the shim once a second while the worker runs."""

    def __init__(self, spec: AttemptSpec, folder: AttemptFolder, settings: Settings, is_remote: bool) -> None:
        self._is_director = spec.is_director
        self._folder = folder
        self._settings = settings
        self._is_remote = is_remote
        self._has_compiled = sys.dont_write_bytecode
        self._alive_at = float("-inf")

    def __call__(self) -> StopReason | None:
        with contextlib.suppress(OSError):
            log_rotation.shorten_log(self._folder.log, self._settings.log_limit_bytes)
        if not self._has_compiled:  # for the next job: a worker cannot write next to our modules
            self._has_compiled = True
            with contextlib.suppress(OSError):
                compileall.compile_dir(PROJECT_ROOT / "jobs", quiet=2, workers=1)
        if self._is_director:  # its worker waits for jobs; a supervisor that a worker starts would be confined
            with contextlib.suppress(OSError, UserError):  # the next second comes
                supervisor_launcher.ensure_supervisor(self._settings)
        if time.monotonic() - self._alive_at >= ALIVE_S:
            self._alive_at = time.monotonic()
            self._show_life()
        return "cancel" if self._is_remote and self._folder.cancel.exists() else None

    def _show_life(self) -> None:
        if not self._is_remote:
            left_outputs.show_life(self._folder)
            return
        with contextlib.suppress(OSError, UserError):  # a full disk must not end the shim
            write_text(self._folder.alive, f"{time.time()}\n")


def _settings_of_job(settings: Settings, document: dict[str, Any]) -> Settings:
    """Return the submitter's settings, with the home, the environments and the slots of the supervisor."""
    asked = document["settings"]
    return dataclasses.replace(
        settings,
        roots=tuple(Path(root) for root in asked["roots"]),
        hub_cache=Path(asked["hub_cache"]),
        torch_cache=Path(asked["torch_cache"]),
        torch_index=asked.get("torch_index", settings.torch_index),
        backend=asked.get("backend", settings.backend),
    )


def _spawn_patiently(
    spec: AttemptSpec, folder: AttemptFolder, settings: Settings, tree_lock: int | None, is_remote: bool
) -> subprocess.Popen[bytes]:
    """Start the worker, again after a pause while the machine has no process, memory or descriptor left for it.

    Raises:
        OSError: another reason, or the pauses are used up.
    """
    for pause_s in SPAWN_PAUSES_S:
        try:
            return _spawn(spec, folder, settings, tree_lock, is_remote)
        except OSError as error:
            if error.errno not in PASSING:
                raise
            logger.warning("%s: the worker cannot be started now: %s", spec.job_id, error)
            time.sleep(pause_s)
    return _spawn(spec, folder, settings, tree_lock, is_remote)


def _spawn(
    spec: AttemptSpec, folder: AttemptFolder, settings: Settings, tree_lock: int | None, is_remote: bool
) -> subprocess.Popen[bytes]:
    environment = UNASKED_POOL | SLEEPING_THREADS | settings.to_environment() | {processes.MARK: spec.mark}
    if spec.n_processes > 1:
        environment |= torchrun.make_rendezvous()
    if settings.sandbox and landlock.version():
        environment |= _private_folders(folder, settings)
    command = torchrun.build_worker_command(spec, folder, settings, is_remote)
    keep = [] if tree_lock is None else [tree_lock]
    return processes.start_logged(command, folder.log, environment, cwd=folder.path.parent, keep=keep)


def _private_folders(folder: AttemptFolder, settings: Settings) -> dict[str, str]:
    """Make the folders that a confined worker writes, and return their variables; a cache that cannot be is temporary.

    Without a place to write, numba refuses to be imported, and matplotlib warns.
    """
    folder.temporary.mkdir(mode=0o700, exist_ok=True)
    found = {"TMPDIR": str(folder.temporary)}
    for name, path in library_caches(settings).items():
        with contextlib.suppress(OSError):
            path.mkdir(parents=True, exist_ok=True)
        found[name] = str(path if os.access(path, os.W_OK) else folder.temporary)
    return found


@contextlib.contextmanager
def _control(folder: AttemptFolder) -> Iterator[int]:
    """Open the fifo through which a cancel comes; also for writing, so that reading never ends."""
    os.mkfifo(folder.control, 0o600)
    descriptor = os.open(folder.control, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _outlive_shutdown_signals() -> None:
    """Ignore the signals of a shutdown, by handlers: the worker would inherit SIG_IGN."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: None)


def main() -> None:
    """Entry of ``python -m jobs.runner.shim``."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s shim %(levelname)s: %(message)s")
    _outlive_shutdown_signals()
    settings = Settings.from_environment()
    follow_jobs_link(settings.home)
    if sys.argv[1] == "--remote":
        run_remote_attempt(settings, AttemptFolder(Path(sys.argv[2])))
    else:
        run_attempt(settings, sys.argv[2], int(sys.argv[3]))
