"""Kills what works for a home at random moments: supervisor, shims, workers of directors and of their children.

No child's worker is killed twice: one that is interrupted twice at the same place is given up by rule, and what is
tested is that work goes on.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from jobs.runner.client.runner import Runner
from jobs.runner.models import JobRecord
from tests.support.processes import find_processes

MOST_A_CHILD = 1  # its worker, and its shim
MOST_A_DIRECTOR = 18  # and 20 of directors
DIRECTORS = ("tune_hparams", "refine_voice")
PROGRAMS = ("supervisor", "shim", "worker")


@dataclass
class Killer:
    """Kills one process at a time.

    Attributes:
        home: home of the processes.
        rng: chooses process and moment.
        killed: number of kills by kind of process.
    """

    home: Path
    rng: random.Random
    killed: Counter[str] = field(default_factory=Counter)
    _of_job: Counter[str] = field(default_factory=Counter)

    def strike(self) -> str | None:
        """Kill a process that may be killed; what it was, or None where none is there."""
        kinds: dict[str, list[tuple[int, str]]] = {}
        for pid, name, job_id in self._living():
            limit = MOST_A_DIRECTOR if job_id.startswith(DIRECTORS) else MOST_A_CHILD
            if not job_id or self._of_job[f"{name} {job_id}"] < limit:
                kinds.setdefault(name, []).append((pid, job_id))
        if not kinds:
            return None
        name = self.rng.choice(sorted(kinds))
        pid, job_id = self.rng.choice(sorted(kinds[name]))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self._of_job[f"{name} {job_id}"] += 1
        self.killed[name] += 1
        return name

    def _living(self) -> list[tuple[int, str, str]]:
        """Process, what it is, and its job."""
        found = []
        for pid in find_processes("TTS_TRAIN_HOME", self.home):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
                program = next((p for p in PROGRAMS if f"jobs.runner.{p}" in words), None)
                if program is not None:
                    found.append((pid, *_named(program, words)))
        return found


def run_with_kills(
    runner: Runner, job_id: str, killer: Killer, n_kills: int, every_s: float, bound_s: float
) -> JobRecord:
    """Strike until the job is finished or ``n_kills`` have been dealt, then wait for its end.

    Args:
        runner: of the killer's home.
        job_id: a director that was submitted.
        killer: its ``killed`` counts.
        n_kills: most kills.
        every_s: mean time between two.
        bound_s: longest time in all.
    """
    deadline = time.monotonic() + bound_s
    dealt = 0
    while dealt < n_kills and time.monotonic() < deadline:
        if runner.wait(job_id, killer.rng.uniform(0.1, 2 * every_s)).is_finished:
            break
        dealt += killer.strike() is not None
    return runner.wait(job_id, max(1.0, deadline - time.monotonic()))


def _named(program: str, words: list[str]) -> tuple[str, str]:
    job_id = next((part for word in words for part in word.split("/") if _is_job(part)), "")
    kind = job_id.split("-")[0]
    if program == "worker":
        return f"worker of {'the director' if kind in DIRECTORS else kind}", job_id
    return program, job_id if program == "shim" else ""


def _is_job(word: str) -> bool:
    parts = word.split("-")
    return len(parts) == 4 and parts[1].isdigit() and len(parts[1]) == 8
