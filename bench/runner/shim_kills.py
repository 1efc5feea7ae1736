"""A shim killed at each of its lines: ``./run.sh bench shim_kills [--every N]``.

Harness: ``tests.support.kills.shim_lines``. For each line that a shim comes to, and work that ends with a result and
by an exit code: is the state of the job what the worker's own journal says, with its exit code? Prints every outcome
that is not; exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from jobs.settings import PROJECT_ROOT
from tests.support.kills import shim_lines

SHIM, WATCHDOG, RECORDS = "jobs.runner.shim.shim", "jobs.runner.shim.cancellation", "jobs.files.records"
FUNCTIONS = (
    (SHIM, ("run_attempt", "_run_worker", "_watched", "_spawn", "_private_folders", "_control"), (1,)),
    (WATCHDOG, ("Watchdog.wait", "_end_of"), (1, 2)),
    (RECORDS, ("reserve", "write_record", "_overwrite"), (1, 2, 3)),  # of job.json, start.json and exit.json
    ("jobs.runner.store.store", ("finish_attempt",), (1,)),
)


def make_cases() -> list[shim_lines.Case]:
    """Make a case of every line, hit and end."""
    return [
        {"module": module, "line": line, "hit": hit, "ends": ends}
        for module, functions, hits in FUNCTIONS
        for line in shim_lines.lines_of(module, *functions)
        for hit in hits
        for ends in ("result", "exit")
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Play and print."""
    parser = argparse.ArgumentParser(prog="run.sh bench shim_kills", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only each n-th case")
    cases = make_cases()[:: parser.parse_args(argv).every]
    with tempfile.TemporaryDirectory(prefix="shim-kills-", ignore_cleanup_errors=True) as folder:
        answers = play(folder, cases)
    n_false = 0
    for answer in answers:
        if answer["false"]:
            n_false += 1
            sys.stdout.write(json.dumps(answer) + "\n")
    ends = collections.Counter((answer["ends"], answer["state"], answer["exit_code"]) for answer in answers)
    for (how, state, code), n in sorted(ends.items(), key=str):
        sys.stdout.write(f"{n:5} work that ends by {how}: {state}, exit code {code}\n")
    sys.stdout.write(f"{len(answers)} kills; {n_false} false outcomes\n")
    return 1 if n_false or len(answers) < len(cases) else 0


def play(folder: str, cases: Sequence[shim_lines.Case]) -> list[dict[str, object]]:
    """Play cases in a process of their own, which is the supervisor."""
    done = subprocess.run(
        [sys.executable, shim_lines.__file__, folder],
        input="".join(json.dumps(case) + "\n" for case in cases),
        env=os.environ | {"PYTHONPATH": str(PROJECT_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    sys.exit(main())
