"""Ingests killed at random moments: ``python -m tests.support.kills.ingest_kills``, or ``./run.sh bench ingest_kills``.

Every ingest is killed at one to three random moments, then continues to its end; each of its files is compared with
those of an ingest that was never stopped. Exit code 1 if one byte differs. The ingests are forks of this process, which
has all modules in memory, so that they are killed at their work and not in an import.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import jobs.ingest_audiobook.output.build_report  # noqa: F401  for the forks
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.work import make_clips, run
from tests.support.kills.process_killer import killed_until_done
from tests.support.null_context import NullContext
from tests.support.repeated_recording import played_over

ROOT = Path(__file__).resolve().parents[3]


def files_of(dataset: Path, *, clips_only: bool) -> dict[str, bytes]:
    """Read all files but the ingest's journals; with ``clips_only`` these too, since they hold the rows."""
    return {
        path.relative_to(dataset).as_posix(): path.read_bytes()
        for path in sorted(dataset.rglob("*"))
        if path.is_file() and (clips_only or path.relative_to(dataset).parts[0] != ".ingest")
    }


def ingest(params: dict[str, object], dataset: Path, *, clips_only: bool) -> None:
    """Begin or continue an ingest."""
    given = Params.model_validate(params | {"out_dir": str(dataset)})
    (make_clips if clips_only else run)(given, NullContext(dataset.parent))


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="run.sh bench ingest_kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=1.2)
    parser.add_argument(
        "--dnsmos", choices=["sampled", "all", "off"], default="sampled", help="as in the job's quality"
    )
    parser.add_argument("--whisper", metavar="MODEL", help="texts of the sample's book in what a Whisper hears")
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
            "quality": {"dnsmos": options.dnsmos},
        }
        if options.whisper:
            params |= {"transcript": "whisper", "whisper_model": options.whisper, "whisper_device": "cpu"}
            params |= {"text": str(ROOT / "samples" / "fables.txt")}
        began = time.monotonic()
        killed_until_done(lambda: ingest(params, folder / "whole", clips_only=clips_only), dice, 0, 0)
        whole_s = time.monotonic() - began
        _report(f"{whole_s:.1f} s without a kill")
        known = files_of(folder / "whole", clips_only=clips_only)
        while n_kills < options.kills:
            n_ingests += 1
            dataset = folder / f"killed{n_ingests}"
            again = partial(ingest, params, dataset, clips_only=clips_only)
            n_kills += killed_until_done(again, dice, whole_s, min(dice.randint(1, 3), options.kills - n_kills))
            found = files_of(dataset, clips_only=clips_only)
            differing = [file for file in known.keys() | found.keys() if known.get(file) != found.get(file)]
            n_differing += len(differing)
            for file in differing[:5]:
                _report(f"ingest {n_ingests}: {file} differs")
            shutil.rmtree(dataset)
            _report(f"{n_kills} kills, {n_differing} files differ")
    _report(f"{n_kills} kills of {n_ingests} ingests, {len(known)} files each; {n_differing} files differ")
    return 1 if n_differing else 0


def _report(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
