"""Progress lines: what is written, what may be left out, what a reader sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.runner.progress import ProgressWriter, latest

Until = Callable[[Callable[[], object]], object]


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_line_with_metrics_is_kept_and_others_are_thinned_to_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    writer = ProgressWriter(path, interval_s=60)

    for step in range(50):
        writer.write(step, 50, "training", {"loss": 2.0 - step / 100})
    for step in range(1000):
        writer.write(step, 1000, "writing", {})
    writer.close()

    lines = _lines(path)
    assert [line["metrics"] for line in lines[:50]] == [{"loss": 2.0 - step / 100} for step in range(50)]
    assert [(line["done"], line["message"]) for line in lines[50:]] == [(999, "writing")]


def test_the_last_line_before_a_long_silence_lands_by_itself(tmp_path: Path, until: Until) -> None:
    path = tmp_path / "progress.jsonl"
    writer = ProgressWriter(path, interval_s=0.05)

    writer.write(1, 2, "first", {})
    writer.write(2, 2, "last", {})

    until(lambda: (newest := latest(path)) is not None and newest.message == "last")
    writer.close()
    assert [line["message"] for line in _lines(path)] == ["first", "last"]


def test_a_tight_loop_writes_its_first_and_its_last_call_alone(tmp_path: Path) -> None:
    writer = ProgressWriter(tmp_path / "progress.jsonl", interval_s=3600)
    n_calls = 20_000

    for step in range(n_calls):
        writer.write(step, n_calls, "", {})
    writer.close()

    assert [line["done"] for line in _lines(tmp_path / "progress.jsonl")] == [0, n_calls - 1]


def test_numbers_that_are_no_json_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    writer = ProgressWriter(path)

    writer.write(1, None, "", {"loss": float("nan"), "lr": 1e-4})
    writer.close()

    newest = latest(path)
    assert newest is not None
    assert newest.metrics == {"lr": 1e-4}


@pytest.mark.parametrize("torn", ['{"at": 2.0, "done": 2, "mess', "\x00\x00"])
def test_a_reader_takes_the_last_whole_line_of_a_long_file(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "progress.jsonl"
    line = json.dumps({"at": 1.0, "done": 1, "message": "é" * 400})
    path.write_text((line + "\n") * 200 + torn)

    newest = latest(path)

    assert newest is not None
    assert (newest.done, newest.message) == (1, "é" * 400)


def test_without_a_file_there_is_no_progress(tmp_path: Path) -> None:
    assert latest(tmp_path / "progress.jsonl") is None
