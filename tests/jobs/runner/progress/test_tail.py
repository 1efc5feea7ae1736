"""The end of a progress file, also of one that a kill has torn."""

from __future__ import annotations

from pathlib import Path

from jobs.runner.progress.tail import newest_reports, read_done, read_tail_lines


def test_the_newest_whole_report_counts(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    path.write_text('{"done": 1}\n{"done": 2, "metrics": {"loss": 0.5}}\n7\n{"done": 3')

    assert [report["done"] for report in newest_reports(path)] == [2, 1]
    assert read_done(path) == 2.0


def test_a_job_without_reports_has_done_nothing(tmp_path: Path) -> None:
    (tmp_path / "odd.jsonl").write_text('{"message": "begins"}\n')

    assert read_done(tmp_path / "missing.jsonl") == 0.0
    assert read_done(tmp_path / "odd.jsonl") == 0.0


def test_only_the_end_of_a_log_is_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("first\nsecond\n")

    assert read_tail_lines(tmp_path / "log", 10) == ["st", "second"]
    assert read_tail_lines(tmp_path / "missing", 10) == []
