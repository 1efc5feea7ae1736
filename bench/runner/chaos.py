"""Random kills of every process of the job runner: ``./run.sh bench chaos [--rounds 300] [--minutes M] [--homes 2]
[--seed N]``.

Harness: ``tests.support.chaos``. Jobs are submitted by real processes; server, supervisor, shim, worker, pairs and
all of them are killed with SIGKILL at random moments; the store is compared with the workers' own journals. Prints a
table by target and every broken promise, which is kept in ``var/chaos`` with the home; exit
code 1 if there is one.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from jobs.settings import PROJECT_ROOT
from tests.support.chaos import harness


def main(argv: Sequence[str] | None = None) -> int:
    """Play and print."""
    parser = argparse.ArgumentParser(prog="run.sh bench chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=None, help="no round begins later")
    parser.add_argument("--homes", type=int, default=2, help="homes that are attacked at the same time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--evidence",
        type=Path,
        default=PROJECT_ROOT / "var" / "chaos",
        help="a broken promise leaves its words, the home and the journals here",
    )
    options = parser.parse_args(argv)
    tallies = {target: harness.Tally() for target in harness.TARGETS}
    complaints: list[str] = []
    lock, began = threading.Lock(), time.monotonic()
    numbers = iter(range(options.rounds))

    def attack(folder: Path, seed: int) -> None:
        chaos = harness.Chaos(folder, seed)
        try:
            while True:
                with lock:
                    is_over = options.minutes is not None and time.monotonic() - began > 60 * options.minutes
                    number = None if is_over else next(numbers, None)
                if number is None:
                    return
                target = harness.TARGETS[number % len(harness.TARGETS)]
                tally = chaos.play(number, target)
                with lock:
                    tallies[target].add(tally)
                    complaints.extend(chaos.complaints)
                    for complaint in chaos.complaints:
                        sys.stderr.write(complaint + "\n")
                    if chaos.complaints:
                        keep_evidence(
                            options.evidence / f"seed-{options.seed}-round-{number}", folder, chaos.complaints
                        )
                    chaos.complaints.clear()
        finally:
            chaos.end()

    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        threads = [
            threading.Thread(target=attack, args=(Path(folder) / str(home), options.seed * 100 + home))
            for home in range(options.homes)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    total = harness.Tally()
    for tally in tallies.values():
        total.add(tally)
    sys.stdout.write(harness.table(tallies | {"all rounds": total}) + "\n")
    sys.stdout.write(f"{time.monotonic() - began:.0f} s; {len(complaints)} broken promises\n")
    is_short = options.minutes is None and total.rounds < options.rounds
    return 1 if complaints or is_short else 0


def keep_evidence(kept: Path, folder: Path, complaints: Sequence[str]) -> None:
    """Copy a home and its journals with the complaints, before later rounds write over them."""
    shutil.copytree(folder, kept, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("wake", "control"))
    with (kept / "complaints.txt").open("a", encoding="utf-8") as stream:
        stream.writelines(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {complaint}\n" for complaint in complaints)
    sys.stderr.write(f"kept in {kept}\n")


if __name__ == "__main__":
    sys.exit(main())
