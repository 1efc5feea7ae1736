"""Proof on a GPU in one command: ``./run.sh bench gpu [--minutes 8] [--only PART ...]``.

Measures, in order of worth: the training contract, training (speed; memory beside the estimate), presets, upstream's
script, speech, codes, Whisper, several programs on one card. Nothing is downloaded: models of the released sizes get
random weights on the device. A case's row is kept as it ends; the same call again goes on with what is missing. Prints
a table with a verdict a row; the exit code is 1 if one is wrong or failed. With ``--device cpu --tiny`` every part runs
small on a CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import torch

from bench.gpu.parts import PARTS
from bench.gpu.support.case import Setting
from bench.gpu.support.page import PAGE, render_page
from bench.gpu.support.part import read_rows
from bench.gpu.support.results import collect, keep, rows_file, stored
from jobs.settings import PROJECT_ROOT

SHORTEST_S = 5.0  # less is not worth a start
SHOWN = ("good", "wrong", "failed", "measured", "left out")


def measure(setting: Setting, parts: list[str], seconds: float) -> None:
    """Run parts one after another, each in a process of its own, until the time is up."""
    ends = time.monotonic() + seconds
    for part in parts:
        left = ends - time.monotonic()
        if left < SHORTEST_S:
            print(f"{part}: no time is left; call again to go on", file=sys.stderr)
            continue
        rows = rows_file(setting.folder, part)
        command = [sys.executable, "-m", "bench.gpu.support.part", part, str(rows), setting.to_json()]
        process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(left)
        except subprocess.TimeoutExpired:
            print(f"{part}: stopped, the time is up; call again to go on", file=sys.stderr)
        finally:
            _end(process)
        for row in read_rows(rows):
            print(f"{row['verdict']:9} {part}: {row['case']}. {row['says']} {_brief(row['figures'])}", flush=True)


def _brief(figures: object) -> str:
    return json.dumps(figures).strip("{}").replace('"', "")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a part's process and what it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(
        prog="run.sh bench gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="for all parts together")
    parser.add_argument("--only", choices=PARTS, nargs="+", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="models of a test's size")
    parser.add_argument("--upstream", type=Path, help="folder of upstream's finetuning/: run it beside ours")
    parser.add_argument("--whisper", type=Path, help="folder of CTranslate2 weights")
    parser.add_argument("--out", type=Path, help="rows and scratch; default: var/bench-gpu in the project")
    parser.add_argument("--keep", action="store_true", help="store the result and write docs/gpu.md again")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no GPU. Check nvidia-smi; or try the parts with --device cpu --tiny.")
    name = f"{options.device}-{'tiny' if options.tiny else 'released'}"
    folder = options.out or PROJECT_ROOT / "var" / "bench-gpu" / name
    folder.mkdir(parents=True, exist_ok=True)
    device = "cuda:0" if options.device == "cuda" else "cpu"
    paths = {
        kind: path and path.resolve() for kind, path in (("upstream", options.upstream), ("whisper", options.whisper))
    }
    setting = Setting(device, options.tiny, folder.resolve(), **paths)
    measure(setting, options.only or list(PARTS), options.minutes * 60)
    result = collect(setting.folder, setting)
    verdicts = Counter(row["verdict"] for row in result["rows"])
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{result['device']}: " + ", ".join(f"{verdicts[name]} {name}" for name in SHOWN))
    print(f"result: {folder / 'result.json'}")
    if options.keep:
        print(f"kept: {keep(result)}")
        PAGE.write_text(render_page(stored()), encoding="utf-8")
    sys.exit(1 if verdicts["wrong"] or verdicts["failed"] else 0)


if __name__ == "__main__":
    main()
