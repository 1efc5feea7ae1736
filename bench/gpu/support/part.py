"""One part in a process of its own: each case's row is kept as it ends, and a case that has one is not repeated.

A file beside the rows names the case that is being measured, so that a process which the system ends leaves its name.
An error may leave a GPU's context unusable: after one, the process ends, and the command starts another.
"""

from __future__ import annotations

import importlib
import json
import signal
import sys
import time
import traceback
from pathlib import Path

import torch

from bench.gpu.support.case import Case, Outcome, Row, Setting, left_out

GO_ON = 3  # exit code: start another process for the rest


def run_part(part: str, setting: Setting, rows: Path) -> bool:
    """Measure the cases of a part that ``rows`` (JSON lines) does not hold yet, and append theirs.

    Returns:
        False if another process must go on.
    """
    done = {row["case"] for row in read_rows(rows)}
    for case in importlib.import_module(f"bench.gpu.parts.{part}").cases(setting):
        if case.name in done:
            continue
        now_file(rows).write_text(case.name, encoding="utf-8")
        seconds, outcome = _measure(case)
        append(rows, Row(part, case.name, seconds, outcome))
        now_file(rows).unlink()
        if outcome.verdict == "failed" and setting.is_gpu:
            return False
    return True


def now_file(rows: Path) -> Path:
    """Return the file that names the case being measured."""
    return rows.with_suffix(".now")


def read_rows(path: Path) -> list[dict[str, object]]:
    """Read the rows that are kept; a line that a kill has cut off is none."""
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def forget_failed(rows: Path) -> None:
    """Drop the rows of cases that failed or were left out: a later call may have what they lacked."""
    kept = [row for row in read_rows(rows) if row["verdict"] not in ("failed", "left out")]
    if rows.exists():
        rows.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")


def note_end(part: str, rows: Path, exit_code: int) -> bool:
    """Keep a failed row for the case at which a process ended; False if it ended between cases."""
    now = now_file(rows)
    if not now.exists():
        print(f"{part}: its process ended with exit code {exit_code}", file=sys.stderr)
        return False
    says = f"Its process ended with exit code {exit_code}."
    if exit_code == -signal.SIGKILL:
        says += " Another program has killed it, or the machine's memory ran out."
    append(rows, Row(part, now.read_text(encoding="utf-8"), 0.0, Outcome("failed", says)))
    now.unlink()
    return True


def _measure(case: Case) -> tuple[float, Outcome]:
    began = time.perf_counter()
    try:
        outcome = case.measure()
    except torch.OutOfMemoryError as error:
        outcome = left_out(f"The GPU's memory is too small for this case: {str(error)[:120]}")
    except (Exception, SystemExit) as error:  # the other cases are still worth measuring
        traceback.print_exc()
        outcome = Outcome("failed", f"{type(error).__name__}: {str(error)[:300]}")
    return time.perf_counter() - began, outcome


def append(path: Path, row: Row) -> None:
    """Append a row; what a kill has left of another one goes."""
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
    sys.exit(0 if run_part(sys.argv[1], setting, Path(sys.argv[2])) else GO_ON)


if __name__ == "__main__":
    main()
