"""Finding and ending what an attempt has started."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from jobs.runner.machine import processes

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc (Linux)")

# A child that forks a grandchild into a session of its own, says its pid, and leaves it behind.
LEAVE_BEHIND = (
    "import os, time\n"
    "pid = os.fork()\n"
    "if pid == 0:\n"
    "    os.setsid(); os.close(1); time.sleep(600)\n"
    "print(pid, flush=True); os._exit(0)\n"
)


def test_a_pid_and_its_start_time_are_not_enough_to_be_an_attempts_process() -> None:
    mark = f"test-{os.getpid()}/1"
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env=os.environ | {processes.MARK: mark}) as marked:
        started = processes.start_time(marked.pid)
        is_ours, is_anothers = (processes.is_of_attempt(marked.pid, started, of) for of in (mark, mark + "0"))
        marked.stdin.close()

    assert (is_ours, is_anothers) == (True, False)
    assert not processes.is_of_attempt(1, processes.start_time(1), mark)
    assert not processes.is_of_attempt(marked.pid, started, mark)


def test_a_process_is_known_at_the_moment_it_starts_on_a_busy_machine() -> None:
    """Without waiting for its environment, half of them were taken for ended ones."""
    mark = f"test-{os.getpid()}/1"
    with ExitStack() as stack:
        for _ in range(4):
            busy = stack.enter_context(subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]))
            stack.callback(busy.kill)
        for _ in range(50):
            with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env=os.environ | {processes.MARK: mark}) as marked:
                assert processes.is_of_attempt(marked.pid, processes.start_time(marked.pid), mark)
                assert processes.members(mark) == [marked.pid]
                assert marked.stdin is not None
                marked.stdin.close()


def test_a_process_without_an_environment_is_nobodys() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env={}) as bare:
        assert not processes.is_of_attempt(bare.pid, processes.start_time(bare.pid), "test/1")
        assert bare.stdin is not None
        bare.stdin.close()


def test_an_escaped_grandchild_is_found_by_its_mark_and_ended() -> None:
    mark = f"test-{os.getpid()}/1"
    left_behind = subprocess.run(
        [sys.executable, "-S", "-c", LEAVE_BEHIND], env=os.environ | {processes.MARK: mark}, stdout=subprocess.PIPE,
        text=True, check=True,
    )  # fmt: skip
    grandchild = int(left_behind.stdout)
    began = processes.start_time(grandchild)

    found = processes.members(mark)
    left = processes.end_tree(mark)

    assert found == [grandchild]
    assert left == []
    assert not processes.is_alive(grandchild, began)
    assert processes.members(mark) == []


def test_a_process_is_told_from_a_later_one_with_its_pid() -> None:
    mine = processes.start_time(os.getpid())

    assert processes.is_alive(os.getpid(), mine)
    assert not processes.is_alive(os.getpid(), "1")
    assert not processes.is_alive(os.getpid(), None)


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert processes.start_time(child.pid) is None
    child.wait()
