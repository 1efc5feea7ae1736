"""A process that submits jobs, as a server does, and may be killed in the middle: ``submitter.py FOLDER SEED N``.

What ``submit`` has returned is noted at once: those jobs are promised.
"""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

from chaos_kind import KIND, Params, note

from jobs.runner.client.runner import Runner
from jobs.settings import Settings


def main() -> None:
    """Submit a few jobs, some of which wait for the one before."""
    folder, seed, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    dice = random.Random(seed)
    runner = Runner(replace(Settings.from_environment()))
    note(str(folder / f"{seed}.ready"), "ready")
    before: list[str] = []
    for number in range(count):
        ends = "exit" if dice.random() < 0.3 else "result"
        params = Params(
            journal=str(folder / f"{seed}-{number}.journal"), number=number, seconds=dice.uniform(0.0, 0.4), ends=ends
        )
        after = before if dice.random() < 0.3 else []
        job = runner.submit(KIND, params, after=after, priority=dice.randrange(3), key=f"{seed}/{number}").job
        note(str(folder / f"{seed}.acknowledged"), f"{job.job_id} {number} {ends}")
        before = [job.job_id] if ends == "result" else []


if __name__ == "__main__":
    main()
