"""Proof on a GPU in one command: ``./run.sh bench gpu [--minutes 8] [--only PART ...]``.

Measures, in order of worth: the training contract, training (speed; memory beside the estimate), presets, upstream's
script, speech, codes, Whisper, several programs on one card. Nothing is downloaded: models of the released sizes get
random weights on the device. A case's row is kept as it ends; the same call again goes on with what is missing, failed
or was left out; ``--again`` measures all anew, ``--dry-run`` lists the cases. Prints a verdict a row and a table of
memory beside the estimate; the exit code is 1 if a row is wrong or failed. With ``--device cpu --tiny`` every part runs
small on a CPU.
"""

from __future__ import annotations

import argparse
import importlib
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
from bench.gpu.support.part import GO_ON, forget_failed, note_end, read_rows
from bench.gpu.support.results import collect, file_name, keep, rows_file, stored
from bench.gpu.support.table import render_memory, render_row
from jobs.qwen.devices import describe_device
from jobs.runner.machine.nvidia_smi import Gpus
from jobs.settings import PROJECT_ROOT

SHORTEST_S = 5.0  # less is not worth a start
SHOWN = ("good", "wrong", "failed", "measured", "left out")


def measure(setting: Setting, parts: list[str], seconds: float) -> None:
    """Run parts one after another, each in a process of its own, until the time is up."""
    ends = time.monotonic() + seconds
    for part in parts:
        rows = rows_file(setting.folder, part)
        forget_failed(rows)
        while _measure_part(part, setting, rows, ends - time.monotonic()):
            pass
        for row in read_rows(rows):
            print(render_row(row), flush=True)


def _measure_part(part: str, setting: Setting, rows: Path, left: float) -> bool:
    """Measure a part in a process; True: it has ended early, and another one goes on with the next case."""
    if left < SHORTEST_S:
        print(f"{part}: no time is left; call again to go on", file=sys.stderr)
        return False
    command = [sys.executable, "-m", "bench.gpu.support.part", part, str(rows), setting.to_json()]
    process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        code = process.wait(left)
    except subprocess.TimeoutExpired:
        print(f"{part}: stopped, the time is up; call again to go on", file=sys.stderr)
        return False
    finally:
        _end(process)
    return code != 0 and (code == GO_ON or note_end(part, rows, code))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a part's process and what it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def missing_gpu() -> str:
    """Say why torch has no GPU, and what to call."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    cards = list(Gpus().memory().values())
    why = "nvidia-smi reports none: this machine has no NVIDIA GPU, or its driver is not installed."
    if cards and visible is not None:
        why = f"The driver has {cards[0].name}; CUDA_VISIBLE_DEVICES={visible!r} may hide it."
    elif cards:
        why = f"The driver has {cards[0].name}, but this torch is for CUDA {torch.version.cuda}: update the driver."
    return f"torch finds no GPU. {why} Without one: ./run.sh bench gpu --device cpu --tiny (about 3 minutes)."


def list_cases(setting: Setting, parts: list[str], minutes: float) -> None:
    """Print what a call would measure, and what is measured already."""
    print(f"{describe_device(setting.device)}: at most {minutes:g} minutes in all, in this order")
    for part in parts:
        done = {row["case"]: row for row in read_rows(rows_file(setting.folder, part))}
        for case in importlib.import_module(f"bench.gpu.parts.{part}").cases(setting):
            row = done.get(case.name)
            print(f"{part}: {case.name}" + (f" ({row['verdict']}, {row['seconds']} s)" if row else ""))


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
    parser.add_argument("--again", action="store_true", help="measure anew what was measured")
    parser.add_argument("--dry-run", action="store_true", help="list the cases and what is measured already")
    parser.add_argument("--keep", action="store_true", help="store the result and write docs/gpu.md again")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.exit(2, missing_gpu() + "\n")
    card = f"-{describe_device('cuda:0').name}" if options.device == "cuda" else ""  # rows of two cards never mix
    name = file_name(f"{options.device}{card}-{'tiny' if options.tiny else 'released'}")
    folder = options.out or PROJECT_ROOT / "var" / "bench-gpu" / name
    device = "cuda:0" if options.device == "cuda" else "cpu"
    paths = {
        kind: path and path.resolve() for kind, path in (("upstream", options.upstream), ("whisper", options.whisper))
    }
    setting = Setting(device, options.tiny, folder.resolve(), **paths)
    parts = options.only or list(PARTS)
    if options.dry_run:
        list_cases(setting, parts, options.minutes)
        return
    folder.mkdir(parents=True, exist_ok=True)
    if options.again:
        for part in parts:
            rows_file(setting.folder, part).unlink(missing_ok=True)
    measure(setting, parts, options.minutes * 60)
    result = collect(setting.folder, setting)
    verdicts = Counter(row["verdict"] for row in result["rows"])
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(render_memory(result["rows"]))
    print(f"{result['device']}: " + ", ".join(f"{verdicts[name]} {name}" for name in SHOWN))
    print(f"result: {folder / 'result.json'}")
    if options.keep:
        print(f"kept: {keep(result)}")
        PAGE.write_text(render_page(stored()), encoding="utf-8")
    sys.exit(1 if verdicts["wrong"] or verdicts["failed"] else 0)


if __name__ == "__main__":
    main()
