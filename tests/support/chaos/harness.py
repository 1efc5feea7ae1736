"""Rounds of ``kill -9``: real processes are killed at random moments, then every promise is checked.

A round submits jobs from a process of its own, kills its target at a random moment, lets a client look once (as a
polling agent does), and waits for the end of everything. The store is compared with the journals that the workers
wrote themselves. The moment counts from what the round has come to, not from its start, so that a kill finds its target
on a busy machine, too.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, fields
from pathlib import Path

from jobs.files.records import read_record
from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from jobs.runner.paths import Home
from jobs.runner.store import JobRow, Store
from jobs.settings import PROJECT_ROOT, Settings
from tests.support.processes import find_processes, was_started_with

HERE = Path(__file__).resolve().parent
EXIT_CODE = 7
ONE = ("server", "supervisor", "shim", "worker")
TARGETS = (*ONE, "shim+supervisor", "worker+shim", "worker+supervisor", "server+supervisor+shim+worker")
JOBS_A_ROUND = 4
BOUND_S = 90.0
PAUSE_S, LONGEST_WAIT_S = 0.01, 0.6


@dataclass
class Tally:
    """Counts of jobs.

    Attributes:
        rounds: rounds played.
        kills: processes that were alive when they were killed.
        acknowledged: jobs whose submission was acknowledged.
        exact: right state with the exact exit code.
        code_unknown: right state, exit code not known.
        cancelled: cancelled by the round itself, and truly so.
        false: a state that the journal contradicts.
        lost: acknowledged, but not in the store or never finished.
        double: two workers of one job at the same time.
    """

    rounds: int = 0
    kills: int = 0
    acknowledged: int = 0
    exact: int = 0
    code_unknown: int = 0
    cancelled: int = 0
    false: int = 0
    lost: int = 0
    double: int = 0

    def add(self, other: Tally) -> None:
        """Add counts."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


class Chaos:
    """One home under attack.

    Args:
        folder: for home, environment and journals.
        seed: of every random choice; the kernel's own timing stays what it is.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self._rng = random.Random(seed)
        python = folder / "envs" / "ml" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        self.settings = Settings(
            home=folder / "home",
            envs=folder / "envs",
            roots=(folder,),
            cpu_slots=3,
            disk_reserve_bytes=1_000_000,
            cancel_grace_s=2.0,
        )
        self.home = Home(self.settings.home)
        self.complaints: list[str] = []

    def play(self, number: int, target: str) -> Tally:
        """One round."""
        name = f"{self.seed}-{number}"
        submitter = subprocess.Popen(
            [sys.executable, str(HERE / "submitter.py"), str(self.folder), name, str(JOBS_A_ROUND)],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait_for(target, name, submitter)
        time.sleep(self._rng.uniform(0.0, LONGEST_WAIT_S))
        to_cancel = self._rng.random() < 0.2
        n_kills = self._kill(target, submitter)
        submitter.wait(BOUND_S)
        runner = Runner(self.settings)
        runner.list()  # a polling client sees to the supervisor
        promised = self._acknowledged(name)
        if to_cancel and promised:
            runner.cancel(promised[-1][0])
        tally = Tally(rounds=1, kills=n_kills, acknowledged=len(promised))
        for job_id, place, ends in promised:
            journal = self.folder / f"{name}-{place}.journal"
            self._judge(runner, job_id, journal, ends, tally, f"round {name} ({target})")
        return tally

    def end(self) -> None:
        """Kill whatever is left of this home."""
        for pid in find_processes("TTS_TRAIN_HOME", self.settings.home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _environment(self) -> dict[str, str]:
        os.environ["PYTHONPATH"] = f"{PROJECT_ROOT}:{HERE}"  # also for the supervisor that this process starts
        return self.settings.to_environment()

    def _wait_for(self, target: str, name: str, submitter: subprocess.Popen[bytes]) -> None:
        """Wait for the beginning of a random part of the round.

        A server has begun to submit, or has submitted some jobs; of others a job is claimed, or its process is there.
        """
        ready, deadline = self.folder / f"{name}.ready", time.monotonic() + BOUND_S
        n_submitted = self._rng.randrange(JOBS_A_ROUND)
        process = "pid" if "worker" in target else "shim"
        is_process_awaited = self._rng.random() < 0.7
        while time.monotonic() < deadline:
            is_ended = submitter.poll() is not None
            if "server" in target:
                is_begun = is_ended or (ready.exists() and len(self._acknowledged(name)) >= n_submitted)
            else:
                is_begun = bool(self._pids(process) if is_process_awaited else self._started()) or (
                    is_ended and not Store(self.home).has_live_jobs()
                )
            if is_begun:
                return
            time.sleep(PAUSE_S)

    def _kill(self, target: str, submitter: subprocess.Popen[bytes]) -> int:
        """Kill the processes of a target; return the number that were alive."""
        pids, n_kills = [], 0
        for part in target.split("+"):
            match part:
                case "server":
                    pids.append(submitter.pid)
                case "supervisor":
                    with contextlib.suppress(OSError, ValueError):
                        pids.append(int(self.home.supervisor_lock.read_text()))
                case "shim" | "worker":
                    pids += self._pids("shim" if part == "shim" else "pid")
        self._rng.shuffle(pids)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                if was_started_with(pid, "TTS_TRAIN_HOME", self.settings.home):  # else the pid is another's by now
                    os.kill(pid, signal.SIGKILL)
                    n_kills += 1
        return n_kills

    def _started(self) -> list[JobRow]:
        return Store(self.home).in_state("starting", "running") if self.home.database.exists() else []

    def _pids(self, which: str) -> list[int]:
        found = []
        for row in self._started():
            start = read_record(self.home.attempt(row.id, row.attempt).start)
            if start and which in start:  # a supervisor that notes a worker itself knows no shim
                found.append(int(start[which]))
        return found

    def _acknowledged(self, name: str) -> list[tuple[str, str, str]]:
        with contextlib.suppress(OSError):
            lines = (self.folder / f"{name}.acknowledged").read_text().splitlines()
            return [(job_id, place, ends) for job_id, place, ends in map(str.split, lines)]
        return []

    def _judge(self, runner: Runner, job_id: str, journal: Path, ends: str, tally: Tally, where: str) -> None:
        record = runner.wait(job_id, BOUND_S)
        lines = journal.read_text().splitlines() if journal.exists() else []
        if "double" in lines:
            tally.double += 1
            self._complain(job_id, f"{where}: {job_id} ran twice at a time: {lines}")
        if not record.is_finished:
            tally.lost += 1
            self._complain(job_id, f"{where}: {job_id} is {record.state}: {record.detail}")
        elif not _is_true(record, lines, ends):
            tally.false += 1
            self._complain(
                job_id,
                f"{where}: {job_id} ({ends}) {record.state} {record.reason} {record.exit_code} "
                f"{record.detail}: {lines}",
            )
        elif record.state == "cancelled":
            tally.cancelled += 1
        elif record.exit_code is None:
            tally.code_unknown += 1
        else:
            tally.exact += 1

    def _complain(self, job_id: str, text: str) -> None:
        """Keep a complaint with what the home knows of the job: its events, records and lines of the log."""
        events = Store(self.home).connection.execute("SELECT * FROM events WHERE job = ?", (job_id,))
        files = [
            path for path in sorted(self.home.job(job_id).rglob("*")) if path.suffix == ".json" or path.name == "log"
        ]
        known = [
            *(str(tuple(event)) for event in events),
            *(f"{path.relative_to(self.home.path)}: {path.read_text(errors='replace')}" for path in files),
            *(line for line in self.home.supervisor_log.read_text().splitlines() if job_id in line),
        ]
        self.complaints.append("\n    ".join([text, *known]))


def _is_true(record: JobRecord, lines: list[str], ends: str) -> bool:
    """Return whether the state agrees with the journal."""
    if record.state == "succeeded":
        # a process that is killed, or asked to stop, after it wrote its result has done its work
        codes = (0, None, -signal.SIGKILL, -signal.SIGTERM)
        return ends == "result" and "end" in lines and record.exit_code in codes
    if record.state == "failed":
        return ends == "exit" and "end" in lines and record.exit_code == EXIT_CODE
    return record.reason == "cancelled" or (record.reason == "dependency" and not lines)


def table(tallies: dict[str, Tally]) -> str:
    """The counts by target."""
    columns = [field.name for field in fields(Tally)]
    rows = [f"{'killed':32}" + "".join(f"{column:>14}" for column in columns)]
    for target, tally in tallies.items():
        rows.append(f"{target:32}" + "".join(f"{getattr(tally, column):>14}" for column in columns))
    return "\n".join(rows)
