"""A home that is moved to another disk goes on there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jobs.runner.client.runner import Runner
from jobs.settings import Settings


def test_a_moved_home_keeps_its_handles_and_finishes_what_was_half_done(
    settings: Settings,
    tmp_path: Path,
    until: Callable[[Callable[[], object]], object],
    end_processes_of: Callable[[Path], None],
) -> None:
    from tiny_kinds import ADD, AddParams

    runner, gate, journal = Runner(settings), tmp_path / "gate", tmp_path / "journal"
    done = runner.wait(runner.submit(ADD, AddParams(numbers=[1, 2])).job.job_id, 60)
    half = runner.submit(ADD, AddParams(numbers=[3], gate=str(gate), journal=str(journal))).job
    until(journal.exists)
    end_processes_of(settings.home)

    elsewhere = replace(settings, home=settings.home.rename(tmp_path / "another disk"))
    gate.touch()
    moved = Runner(elsewhere)
    ended = moved.wait(half.job_id, 60)

    assert moved.resolve(f"artifact://{done.job_id}/sum").read_text() == "3.0\n"
    assert ended.state == "succeeded"
    assert ended.folder.startswith(str(elsewhere.home))
    assert moved.resolve(f"artifact://{half.job_id}/sum").is_relative_to(elsewhere.home)
    end_processes_of(elsewhere.home)
