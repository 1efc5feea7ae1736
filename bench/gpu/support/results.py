"""A run's result: the machine, the rows, and how it is kept and read."""

from __future__ import annotations

import json
import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bench.gpu.parts import PARTS
from bench.gpu.support.case import Setting
from bench.gpu.support.part import read_rows
from jobs.qwen.devices import describe_device
from jobs.runner.machine.nvidia_smi import ask_nvidia_smi
from jobs.runner.machine.preflight import memory_of_machine
from jobs.settings import PROJECT_ROOT

RESULTS = PROJECT_ROOT / "bench" / "results"


def rows_file(folder: Path, part: str) -> Path:
    """Return the file of a part's rows."""
    return folder / f"{part}.jsonl"


def collect(folder: Path, setting: Setting) -> dict[str, Any]:
    """Put the rows of all parts beside a description of the machine."""
    driver = (ask_nvidia_smi(["--query-gpu=driver_version", "--format=csv,noheader"]) or "").split("\n")[0].strip()
    machine = memory_of_machine()
    total = machine.total_mb * 1e6 if machine is not None else 0.0
    if setting.is_gpu:
        total = torch.cuda.get_device_properties(setting.device).total_memory
    return {
        "device": str(describe_device(setting.device)), "memory_gb": round(total / 1e9, 1), "driver": driver or None,
        "is_gpu": setting.is_gpu, "processor": processor_name(), "load": round(os.getloadavg()[0], 1),
        "torch": torch.__version__, "cuda": torch.version.cuda if setting.is_gpu else None,
        "python": platform.python_version(), "date": datetime.now(UTC).date().isoformat(), "tiny": setting.tiny,
        "rows": [row for part in PARTS for row in read_rows(rows_file(folder, part))],
    }  # fmt: skip


def keep(result: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Store a result in the repository, one file for a card and a date."""
    folder.mkdir(exist_ok=True)
    size = "-tiny" if result["tiny"] else ""
    path = folder / f"{file_name(result['device'])}{size}-{result['date']}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return path


def file_name(words: str) -> str:
    """Return words as a name of a file."""
    return "-".join(re.findall("[a-z0-9]+", words.lower()))


def processor_name() -> str | None:
    """Return the CPU's model as the kernel names it, and the number of cores that may be used; None: unknown."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.*)$", cpuinfo.read_text() if cpuinfo.exists() else "", re.MULTILINE)
    return f"{found[1].strip()}, {len(os.sched_getaffinity(0))} cores" if found else None


def stored(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Read the stored results in the order of their names."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
