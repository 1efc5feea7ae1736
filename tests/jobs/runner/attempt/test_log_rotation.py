"""Logs of bounded size."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jobs.runner.attempt.log_rotation import shorten_log
from jobs.runner.client.runner import Runner
from jobs.runner.paths import Home
from jobs.settings import Settings

LIMIT = 4_000


def lines(first: int, last: int) -> bytes:
    """Numbered lines of 10 bytes."""
    return b"".join(b"line %04d\n" % number for number in range(first, last))


def test_a_short_log_is_left_as_it_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(lines(0, 400))

    assert shorten_log(log, LIMIT) == 0
    assert shorten_log(tmp_path / "none", LIMIT) == 0
    assert log.read_bytes() == lines(0, 400)


def test_a_link_that_a_worker_put_in_place_of_its_log_or_folder_leads_nowhere(tmp_path: Path) -> None:
    mine = tmp_path / "mine" / "log"
    mine.parent.mkdir()
    mine.write_bytes(lines(0, 1000))
    attempt = tmp_path / "attempt-1"
    attempt.mkdir()
    (attempt / "log").symlink_to(mine)
    (tmp_path / "attempt-2").symlink_to(mine.parent)

    assert shorten_log(attempt / "log", LIMIT) == 0
    assert shorten_log(tmp_path / "attempt-2" / "log", LIMIT) == 0
    assert mine.read_bytes() == lines(0, 1000)


def test_of_a_long_log_both_ends_are_kept_and_the_gap_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(lines(0, 1000))

    left_out = shorten_log(log, LIMIT)

    text = log.read_bytes()
    assert left_out == 10_000 - 2_000 + 10  # the line that the cut would have torn goes as well
    assert text == lines(0, 100) + b"\n[... %d bytes were left out here ...]\n" % left_out + lines(901, 1000)


def test_what_was_left_out_before_is_counted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(lines(0, 1000))
    first = shorten_log(log, LIMIT)
    with log.open("ab") as stream:
        stream.write(lines(1000, 2000))

    second = shorten_log(log, LIMIT)

    assert log.read_bytes().startswith(lines(0, 100) + b"\n[... %d bytes" % (first + second))
    assert log.read_bytes().endswith(lines(1901, 2000))
    assert first + second + 1990 == 20_000


def test_a_writer_in_append_mode_goes_on_behind_the_tail(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as stream:
        stream.write(lines(0, 1000))
        shorten_log(log, LIMIT)
        stream.write(b"and on\n")

    assert log.read_bytes().endswith(b"line 0999\nand on\n")


def test_a_kill_between_writing_and_cutting_leaves_the_head_and_is_mended_next_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(lines(0, 1000))
    code = (
        "import os, signal, sys; from pathlib import Path; from jobs.runner.attempt import log_rotation as logs\n"
        "os.ftruncate = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"logs.shorten_log(Path(sys.argv[1]), {LIMIT})"
    )

    killed = subprocess.run([sys.executable, "-c", code, str(log)], check=False, env=os.environ | {"PYTHONPATH": "."})
    torn = log.read_bytes()
    shorten_log(log, LIMIT)

    assert killed.returncode == -9
    assert torn.startswith(lines(0, 100) + b"\n[... ")
    assert log.read_bytes().startswith(lines(0, 100) + b"\n[... ")
    assert log.read_bytes().endswith(lines(901, 1000))


def test_the_log_of_a_worker_that_never_stops_talking_stays_bounded(
    settings: Settings, tmp_path: Path, until: Callable[[Callable[[], object]], object]
) -> None:
    from tiny_kinds import TALK, TalkParams

    runner = Runner(replace(settings, log_limit_bytes=1_000_000))
    gate = tmp_path / "gate"
    job = runner.submit(TALK, TalkParams(megabytes=50, gate=str(gate))).job
    until(lambda: (tmp_path / "said").exists())
    log = runner.log_path(job.job_id)

    until(lambda: log.stat().st_size <= 1_000_000)
    gate.touch()
    ended = runner.wait(job.job_id, 60)

    text = log.read_text()
    assert ended.state == "succeeded"
    assert "talk begins" in text[:2_000]
    assert "bytes were left out here" in text
    assert "talk ends" in text[-2_000:]


def test_the_log_of_a_worker_whose_shim_was_killed_stays_bounded(
    settings: Settings, home: Home, pids, tmp_path: Path, until: Callable[[Callable[[], object]], object]
) -> None:
    from tiny_kinds import TALK, TalkParams

    runner = Runner(replace(settings, log_limit_bytes=1_000_000))
    gate = tmp_path / "gate"
    job = runner.submit(TALK, TalkParams(megabytes=50, gate=str(gate))).job
    os.kill(pids.shim(home.attempt(job.job_id, 1)), signal.SIGKILL)
    until(lambda: (tmp_path / "said").exists())
    log = runner.log_path(job.job_id)

    until(lambda: log.stat().st_size <= 1_000_000)
    gate.touch()

    assert runner.wait(job.job_id, 60).state == "succeeded"
    assert "bytes were left out here" in log.read_text()
