"""Progress lines: what is written, what may be left out, what a reader sees."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.files import atomic_io
from jobs.runner.progress.reports import ProgressWriter, read_latest
from jobs.settings import PROJECT_ROOT

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

    until(lambda: (newest := read_latest(path)) is not None and newest.message == "last")
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

    newest = read_latest(path)
    assert newest is not None
    assert newest.metrics == {"lr": 1e-4}


@pytest.mark.parametrize(("done", "total"), [(float("inf"), 1.0), (float("nan"), float("nan")), (-float("inf"), None)])
def test_progress_that_is_no_finite_number_is_read_as_json_by_all(
    tmp_path: Path, done: float, total: float | None
) -> None:
    path = tmp_path / "progress.jsonl"
    writer = ProgressWriter(path)

    writer.write(done, total, "", {})
    writer.close()

    assert "Infinity" not in path.read_text()
    newest = read_latest(path)
    assert newest is not None
    assert (newest.done, newest.total) == (0.0, total if total == 1.0 else None)


@pytest.mark.parametrize(
    "torn",
    [
        '{"at": 2.0, "done": Infinity}',
        '{"at": 2.0, "done": 1, "total": NaN}',
        '{"at": 2.0, "done": 2, "mess',
        "\x00\x00",
    ],
)
def test_a_reader_takes_the_last_whole_line_of_a_long_file(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "progress.jsonl"
    line = json.dumps({"at": 1.0, "done": 1, "message": "é" * 400})
    path.write_text((line + "\n") * 200 + torn)

    newest = read_latest(path)

    assert newest is not None
    assert (newest.done, newest.message) == (1, "é" * 400)


def test_without_a_file_there_is_no_progress(tmp_path: Path) -> None:
    assert read_latest(tmp_path / "progress.jsonl") is None


def test_a_long_file_is_thinned_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    writer = ProgressWriter(path, limit_bytes=20_000)

    sizes = []
    for step in range(3000):
        writer.write(step, 3000, "training", {"loss": 2.5})
        sizes.append(path.stat().st_size)
    writer.close()

    done = [line["done"] for line in _lines(path)]
    assert 5_000 < max(sizes) <= 20_000
    assert (done[0], done[-1]) == (0, 2999)
    assert done == sorted(done)  # type: ignore[type-var]
    assert [file.name for file in tmp_path.iterdir()] == ["progress.jsonl"]


def test_a_reader_that_holds_the_file_open_reads_on_in_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    writer = ProgressWriter(path, limit_bytes=20_000)
    writer.write(0, None, "", {"loss": 1.0})

    with path.open() as held:
        for step in range(1, 1000):
            writer.write(step, None, "", {"loss": 1.0})
        lines = held.read().splitlines()
    writer.close()

    assert [json.loads(line)["done"] for line in lines] == list(range(len(lines)))


KILLED = """
import itertools, sys
from pathlib import Path
from jobs.files import atomic_io
from jobs.runner.progress.reports import ProgressWriter
writer = ProgressWriter(Path(sys.argv[1]), limit_bytes=4_000)
for step in itertools.count():
    writer.write(step, None, "", {"loss": 1.0})
    if step == int(sys.argv[2]):
        print("on its way", flush=True)
"""


@pytest.mark.parametrize("after", range(200, 1000, 100))
def test_a_writer_killed_at_any_moment_leaves_first_and_newest_in_whole_lines(tmp_path: Path, after: int) -> None:
    path = tmp_path / "progress.jsonl"
    command = [sys.executable, "-c", KILLED, str(path), str(after)]

    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT_ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seen = [newest.done for _ in range(50) if (newest := read_latest(path))]
        os.kill(process.pid, signal.SIGKILL)

    done = [json.loads(line)["done"] for line in path.read_bytes().splitlines()]
    assert len(seen) == 50
    assert seen == sorted(seen)
    assert done[0] == 0
    assert done[-1] >= max(seen[-1], after)
    assert path.stat().st_size <= 4_200


def test_what_cannot_be_thinned_is_written_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "progress.jsonl"
    monkeypatch.setattr(atomic_io, "write_bytes", refuse)
    writer = ProgressWriter(path, limit_bytes=2_000)

    for step in range(200):
        writer.write(step, None, "", {"loss": 1.0})
    writer.close()

    assert [line["done"] for line in _lines(path)] == list(range(200))
    assert len(caplog.records) == 1


def test_the_newest_report_comes_with_the_present_rate(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    lines = [{"at": 10 + step / 4, "done": step, "total": 50, "message": "a\u2028b"} for step in range(20)]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))

    newest = read_latest(path)

    assert newest is not None
    assert (newest.done, newest.rate, newest.message) == (19, 4, "a\u2028b")
