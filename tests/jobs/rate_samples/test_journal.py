"""Measures survive a kill, also one in the middle of a line."""

from __future__ import annotations

from pathlib import Path

from jobs.rate_samples.journal import Journal, key_of


def test_what_was_put_is_there_for_the_next_run(tmp_path: Path) -> None:
    Journal(tmp_path / "j").put("a", {"x": 1})

    assert Journal(tmp_path / "j").get("a") == {"x": 1}
    assert Journal(tmp_path / "j").get("b") is None


def test_a_line_that_was_cut_short_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.put("a", 1)
    journal.put("b", 2)
    path.write_bytes(path.read_bytes()[:-6])

    Journal(path).put("c", 3)

    again = Journal(path)
    assert (again.get("a"), again.get("b"), again.get("c")) == (1, None, 3)


def test_a_key_changes_with_everything_it_depends_on() -> None:
    keys = {key_of("clip", "hash", "text"), key_of("clip", "hash", "other"), key_of("cut", "hash", "text")}

    assert len(keys) == 3
    assert key_of("clip", "hash", "text") in keys
