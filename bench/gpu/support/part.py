"""One part in a process of its own: each case's row is kept as it ends, and a case that has one is not repeated."""

from __future__ import annotations

import importlib
import json
import sys
import time
import traceback
from pathlib import Path

import torch

from bench.gpu.support.case import Case, Outcome, Row, Setting


def run_part(part: str, setting: Setting, rows: Path) -> None:
    """Measure the cases of a part that ``rows`` (JSON lines) does not hold yet, and append theirs."""
    done = {row["case"] for row in read_rows(rows)}
    for case in importlib.import_module(f"bench.gpu.parts.{part}").cases(setting):
        if case.name not in done:
            _append(rows, Row(part, case.name, *_measure(case)))


def read_rows(path: Path) -> list[dict[str, object]]:
    """Read the rows that are kept; a line that a kill has cut off is none."""
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def _measure(case: Case) -> tuple[float, Outcome]:
    began = time.perf_counter()
    try:
        outcome = case.measure()
    except Exception as error:  # the other cases are still worth measuring
        traceback.print_exc()
        outcome = Outcome("failed", f"{type(error).__name__}: {str(error)[:300]}")
    return time.perf_counter() - began, outcome


def _append(path: Path, row: Row) -> None:
    line = json.dumps(row.as_json())
    kept = path.read_bytes() if path.exists() else b""
    with path.open("ab") as out:
        if kept and not kept.endswith(b"\n"):
            out.truncate(kept.rfind(b"\n") + 1)
        out.write(line.encode() + b"\n")
    print(line, flush=True)


def main() -> None:
    """Run the part that the command line names; its last argument is a setting as JSON."""
    setting = Setting.from_json(sys.argv[3])
    if setting.tiny:
        torch.set_num_threads(1)
    run_part(sys.argv[1], setting, Path(sys.argv[2]))


if __name__ == "__main__":
    main()
