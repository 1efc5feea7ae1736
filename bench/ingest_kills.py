"""Kill ingests with -9, again and again: ``./run.sh bench ingest_kills [--kills 30] [--seed N] [--workers 2]``.

Every ingest is killed at one to three random moments, then let go on to its end; each of its files is held against
those of an ingest that was never stopped. Exit code 1 if one byte differs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.ingest import WORKER, played_over

ROOT = Path(__file__).resolve().parent.parent


def files_of(dataset: Path, *, clips_only: bool) -> dict[str, bytes]:
    """All files but the journals of the ingest; with ``clips_only`` these hold the rows and are looked at too."""
    return {
        path.relative_to(dataset).as_posix(): path.read_bytes()
        for path in sorted(dataset.rglob("*"))
        if path.is_file() and (clips_only or path.relative_to(dataset).parts[0] != ".ingest")
    }


def start(params: dict[str, object], dataset: Path, *, clips_only: bool) -> subprocess.Popen[bytes]:
    """Begin an ingest, or go on with it."""
    command = [
        sys.executable,
        "-c",
        WORKER,
        json.dumps(params | {"out_dir": str(dataset)}),
        str(dataset.parent),
        "clips" if clips_only else "whole",
    ]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)


def main(argv: Sequence[str] | None = None) -> int:
    """Play and print."""
    parser = argparse.ArgumentParser(prog="run.sh bench ingest_kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--clips-only", action="store_true", help="stop before the clips are judged: sooner done")
    options = parser.parse_args(argv)
    clips_only = options.clips_only
    dice = random.Random(options.seed)
    n_kills = n_ingests = n_differing = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        played_over(ROOT / "samples" / "fables.m4b", options.minutes * 60, folder / "book.m4b", chapter_s=30)
        params: dict[str, object] = {
            "audio": str(folder / "book.m4b"),
            "voice": "bench",
            "transcript": "none",
            "workers": options.workers,
            "quality": {"dnsmos": "off"},
        }
        began = time.monotonic()
        if start(params, folder / "whole", clips_only=clips_only).wait() != 0:
            return 1
        whole_s = time.monotonic() - began
        known = files_of(folder / "whole", clips_only=clips_only)
        while n_kills < options.kills:
            n_ingests += 1
            dataset = folder / f"killed{n_ingests}"
            for _ in range(min(dice.randint(1, 3), options.kills - n_kills)):
                process = start(params, dataset, clips_only=clips_only)
                try:
                    process.wait(dice.uniform(0.05, 1.0) * whole_s)
                except subprocess.TimeoutExpired:
                    process.kill()
                    n_kills += 1
                process.wait()
            if start(params, dataset, clips_only=clips_only).wait() != 0:
                return 1
            found = files_of(dataset, clips_only=clips_only)
            differing = [file for file in known.keys() | found.keys() if known.get(file) != found.get(file)]
            n_differing += len(differing)
            for file in differing[:5]:
                print(f"ingest {n_ingests}: {file} differs")
            subprocess.run(["rm", "-rf", str(dataset)], check=True)
    print(f"{n_kills} kills of {n_ingests} ingests, {len(known)} files each; {n_differing} files differ")
    return 1 if n_differing else 0


if __name__ == "__main__":
    sys.exit(main())
