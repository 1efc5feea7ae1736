"""The threat model names a test for each of its checks."""

from __future__ import annotations

import re

from jobs.settings import PROJECT_ROOT

CHECKS = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (PROJECT_ROOT / "docs" / "security.md").read_text(encoding="utf-8"))


def test_every_named_test_is_there() -> None:
    missing = [
        f"{file}::{name}"
        for file, name in CHECKS
        if not (PROJECT_ROOT / file).is_file()
        or not re.search(rf"def {name}\b", (PROJECT_ROOT / file).read_text(encoding="utf-8"))
    ]

    assert missing == []
    assert len(CHECKS) > 30
