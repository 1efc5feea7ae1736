"""What a job has told over its attempts, and what is kept of it when it becomes long."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from jobs.runner.progress import metric_history
from jobs.runner.progress.metric_history import thin_lines


def line(done: float, at: float = 0.0, **metrics: float) -> bytes:
    """A report as the worker writes it."""
    return json.dumps({"at": at, "done": done, "total": None, "message": "", "metrics": metrics}).encode()


def written(path: Path, *lines: bytes) -> Path:
    """The progress of an attempt."""
    path.write_bytes(b"".join(text + b"\n" for text in lines))
    return path


def test_where_a_resumed_attempt_overlaps_the_older_the_newer_counts(tmp_path: Path) -> None:
    first = written(tmp_path / "1", *(line(step, loss=10 + step) for step in range(1, 8)))
    silent = written(tmp_path / "2", line(0), line(0))
    third = written(tmp_path / "3", line(0), *(line(step, loss=step) for step in range(5, 9)))

    joined = metric_history.read([first, silent, tmp_path / "not there", third])

    assert [(point.done, point.metrics["loss"]) for point in joined.points] == [
        *((1, 11), (2, 12), (3, 13), (4, 14)),
        *((5, 5), (6, 6), (7, 7), (8, 8)),
    ]
    assert joined.continued_at == [5]


def test_an_attempt_that_begins_anew_leaves_nothing_of_the_older(tmp_path: Path) -> None:
    first = written(tmp_path / "1", *(line(step, loss=10) for step in range(1, 8)))
    second = written(tmp_path / "2", *(line(step, loss=10) for step in range(4, 9)))
    third = written(tmp_path / "3", line(1, loss=3))

    joined = metric_history.read([first, second, third])

    assert [point.done for point in joined.points] == [1]
    assert joined.continued_at == []


def test_metrics_are_named_in_the_order_of_their_first_report_and_torn_lines_are_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path / "1", line(1, loss=1), line(2, lr=1, loss=1), b'{"at": 3, "do')

    joined = metric_history.read([path])

    assert joined.names == ["loss", "lr"]
    assert len(joined.points) == 2


def test_thinning_keeps_the_first_the_newest_and_an_even_spread_however_often_it_is_done() -> None:
    lines: list[bytes] = []
    for step in range(20_000):
        lines.append(line(step, loss=1.5))
        if sum(map(len, lines)) > 100_000:
            lines = thin_lines(lines, 50_000)

    steps = [json.loads(text)["done"] for text in lines]
    assert steps[0] == 0
    assert steps[-100:] == list(range(19_900, 20_000))
    assert steps == sorted(steps)
    assert max(b - a for a, b in pairwise(steps)) <= 124  # two of at least 320 stretches
    assert sum(map(len, thin_lines(lines, 20_000))) <= 20_000


def test_thinning_keeps_a_rare_measure_of_every_stretch() -> None:
    lines = [line(step, **({"validation": 1.0} if step % 100 == 50 else {"loss": 2.0})) for step in range(5_000)]

    kept = thin_lines(lines, 20_000)

    assert sum(b"validation" in text for text in kept) > 30
    assert sum(map(len, kept)) < 20_000


def test_where_done_stands_still_the_spread_is_even_in_time() -> None:
    lines = [line(0, at=1000 + second, loss=1.0) for second in range(5_000)]
    lines[3] = b"\x00\x00"

    kept = [json.loads(text)["at"] for text in thin_lines(lines, 40_000)]

    old = [at for at in kept if at < 5_500]
    assert max(b - a for a, b in pairwise(old)) < 100
    assert (kept[0], kept[-1]) == (1000, 5999)


@pytest.mark.parametrize("lines", [[], [line(1)], [b"torn"], [line(1, loss=1)] * 3])
def test_little_is_left_as_it_is(lines: list[bytes]) -> None:
    assert thin_lines(lines, 1000) == [text for text in lines if text != b"torn"]
