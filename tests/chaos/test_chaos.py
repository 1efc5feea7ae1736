"""The short version of ``./run.sh bench chaos``: every target is killed a few times, and every promise is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chaos import harness

ROUNDS_A_TARGET = 2
SEED = 20261124


@pytest.fixture
def chaos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A home to attack."""
    monkeypatch.syspath_prepend(Path(harness.__file__).parent)
    monkeypatch.setenv("PYTHONPATH", "")
    chaos = harness.Chaos(tmp_path / "chaos", SEED)
    yield chaos
    chaos.end()


def test_no_kill_loses_a_job_falsifies_a_state_or_runs_a_job_twice(chaos: object) -> None:
    total = harness.Tally()
    for number in range(ROUNDS_A_TARGET * len(harness.TARGETS)):
        target = harness.TARGETS[number % len(harness.TARGETS)]
        total.add(chaos.play(number, target))

    assert chaos.complaints == []
    assert total.acknowledged > 2 * total.rounds
    assert (total.false, total.lost, total.double) == (0, 0, 0)
