"""What is written from recordings is bounded by their sizes, each counted once."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.dataset import write_budget
from jobs.dataset.write_budget import WriteBudget
from jobs.errors import UserError


def test_far_more_than_the_sources_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_budget, "ALWAYS_BYTES", 1000)
    for name in "ab":
        (tmp_path / name).write_bytes(bytes(10))
    budget = WriteBudget()

    for name in "aaab":
        budget.read(tmp_path / name)
    budget.write(1000 + 2 * 10 * write_budget.MOST_TIMES)
    with pytest.raises(UserError) as refused:
        budget.write(1)

    assert refused.value.code == "limit_reached"
