"""Processes of the operating system: liveness, parents, ending a tree. stdlib only.

Everything works on Linux; elsewhere a killed shim costs the exact exit code, and children that leave both the
process group and the parent chain are not found.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from jobs.trust import owners

PROC = Path("/proc")
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
MARK = "TTS_TRAIN_ATTEMPT"  # in the environment of a worker, hence of everything it starts
PAUSE_S = 0.02
PF_KTHREAD = 0x00200000  # linux/sched.h
EXEC_POLL_S = 0.001
EXEC_WAIT_S = 1.0  # for one process that is asked about: on a busy machine it may wait for a core
SCAN_WAIT_S = 0.01  # for each process without an environment in a scan of all


def become_subreaper() -> None:
    """Let orphans below this process become its children, so that their exit codes are not lost (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start_logged(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    *,
    cwd: Path = Path("/"),
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own that appends its output straight to a file: a pipe would die with us.

    It inherits the descriptors ``keep``.
    """
    with owners.open_to_append(log) as stream:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=environment,
            cwd=cwd,
            start_new_session=True,
            pass_fds=keep,
        )


def start_time(pid: int, *, also_ended: bool = False) -> str | None:
    """Read the start time, which distinguishes processes with the same pid; None for a missing one.

    Also None for a zombie, unless ``also_ended``.
    """
    if not PROC.is_dir():
        return _start_time_by_ps(pid)
    fields = _stat(pid)
    return None if fields is None or (fields[0] == "Z" and not also_ended) else fields[19]


def collect_ended() -> Iterator[tuple[int, str | None, int]]:
    """Collect the children that have ended: pid, start time (None where unknown) and exit code, negative for a signal.

    The start time is read before the child is collected: afterwards its pid may be another process's.
    """
    with contextlib.suppress(ChildProcessError):
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                yield ended[0], None, os.waitstatus_to_exitcode(ended[1])
            return
        while (child := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            started = start_time(child.si_pid, also_ended=True)
            yield child.si_pid, started, os.waitstatus_to_exitcode(os.waitpid(child.si_pid, 0)[1])


def is_alive(pid: int, started: str | None) -> bool:
    """True when the process that had this pid and start time still runs."""
    return started is not None and start_time(pid) == started


def is_of_attempt(pid: int, started: str | None, mark: str) -> bool | None:
    """Return whether the process still runs and was started for the attempt: a file alone does not say whom to stop.

    None: it runs, and its program is still being started, so that the kernel does not show its environment yet.
    """
    if not is_alive(pid, started):
        return False
    return not PROC.is_dir() or _carries(pid, mark, EXEC_WAIT_S)


def signal_group(group: int, number: signal.Signals) -> None:
    """Signal a process group; nothing happens when it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def end_tree(mark: str, *, root: int | None = None, timeout_s: float = 10.0) -> list[int]:
    """Kill all processes of an attempt, repeatedly until none is left or the time is over.

    Args:
        mark: value of ``MARK`` in the environment of the attempt's processes.
        root: a process whose other descendants belong to the attempt, too (a subreaper: the shim).
        timeout_s: for processes that the kernel holds in an uninterruptible call.

    Returns:
        The pids that could not be killed.
    """
    deadline = time.monotonic() + timeout_s
    while left := members(mark, root):
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return left
        time.sleep(PAUSE_S)
    return []


def members(mark: str, root: int | None = None) -> list[int]:
    """Find living processes that carry the mark or descend from ``root``; never ``root`` or this process itself."""
    parents = _parents()
    marked = {pid for pid in parents if _carries(pid, mark)}
    below = {pid for pid in parents if root is not None and _descends(pid, root, parents)}
    return sorted((marked | below) - {root, os.getpid()})


def find_oldest(mark: str) -> tuple[int, str] | None:
    """Find the process that the others with a mark descend from, and its start time (Linux only)."""
    found = [(pid, started) for pid in members(mark) if PROC.is_dir() and (started := start_time(pid)) is not None]
    return min(found, key=lambda process: (int(process[1]), process[0]), default=None)


def n_oom_kills() -> int:
    """Count the kernel's out-of-memory kills since it started; 0 where they are not counted."""
    with contextlib.suppress(OSError):
        for line in (PROC / "vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _parents() -> dict[int, int]:
    """Parent of every living process that is not a zombie."""
    if not PROC.is_dir():
        return _parents_by_ps()
    found = {}
    for name in os.listdir(PROC):  # noqa: PTH208 (half a million names a second matters more here)
        if name.isdigit() and (fields := _stat(int(name))) is not None and fields[0] != "Z":
            found[int(name)] = int(fields[1])
    return found


def _descends(pid: int, root: int, parents: dict[int, int]) -> bool:
    seen = set()
    while pid in parents and pid not in seen:
        seen.add(pid)
        pid = parents[pid]
        if pid == root:
            return True
    return False


def _carries(pid: int, mark: str, wait_s: float = SCAN_WAIT_S) -> bool | None:
    """Return whether a process has the mark in its environment.

    The kernel shows no environment while a program is being started, so an empty one is read again for ``wait_s``; so
    is that of a process whose memory is gone and whose end comes in a moment. None: it is still empty.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            content = (PROC / str(pid) / "environ").read_bytes()
        except ProcessLookupError:
            content = b""
        except OSError:
            return False
        if content:
            return f"{MARK}={mark}".encode() in content.split(b"\0")
        if _is_without_environment(pid):
            return False
        if time.monotonic() > deadline:
            return None
        time.sleep(EXEC_POLL_S)


def _is_without_environment(pid: int) -> bool:
    """Return True for what has ended, a zombie, and a thread of the kernel."""
    fields = _stat(pid)
    return fields is None or fields[0] == "Z" or bool(int(fields[6]) & PF_KTHREAD)


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat from the state on (field 3 of proc(5)); the name before may hold anything."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rsplit(")", 1)[1].split()
    except OSError:
        return None


def _parents_by_ps() -> dict[int, int]:
    listing = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    return {int(pid): int(parent) for pid, parent in (line.split() for line in listing.splitlines())}


def _start_time_by_ps(pid: int) -> str | None:
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None
