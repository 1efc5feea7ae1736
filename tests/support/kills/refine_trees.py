"""Files that a loop leaves, without what differs between runs: ids, times, the folder's own name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

ALIKE = (".safetensors", ".wav")
"""Files that must be the same to the byte."""


def what_was_left(folder: Path) -> dict[str, str]:
    """Name of each thing, and what is to be the same of it: a digest, a decision, or that it is there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and "events.out" not in name:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.suffix in ALIKE else "there"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    for one in report["result"]["rounds"]:
        kept = {name: value for name, value in one.items() if name != "voice"}
        found[f"round {one['iteration']}"] = _rounded(kept)
    for name in ("verdict", "best_iteration", "rating"):
        found[name] = _rounded(report["result"][name])
    for path in sorted(folder.glob("evaluations/*/evaluation.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        found[f"{path.parent.name}: ratings"] = _rounded([told["average_rating"], told["scores"], told["rated_by"]])
    return found


def differences(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """List the differences of two trees."""
    names = sorted({*one, *other})
    return [f"{name}: {one.get(name)} / {other.get(name)}" for name in names if one.get(name) != other.get(name)]


def _rounded(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return str({name: _rounded(item) for name, item in value.items()})
    return str([_rounded(item) for item in value]) if isinstance(value, list) else str(value)
