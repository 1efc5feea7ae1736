"""Pipes where the server expects files: answers come at once, and nobody waits for a writer."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from jobs.errors import UserError
from jobs.runner import artifacts
from jobs.runner.models import Artifact, JobRecord
from jobs.runner.paths import AttemptFolder
from jobs.runner.progress import metric_history
from jobs.runner.progress.reports import read_latest
from jobs.runner.progress.tail import read_done, read_tail_lines
from server.cli.logs import show_log
from server.mcp.resources import read_resource
from tools.core.tool_types import ToolContext
from tools.get_artifact import GetArtifactArgs, get_artifact

JOB = "align-20261122-131144-7f3a"


def at_once(function: Callable[[], Any]) -> Any:
    """Result of a function that must not wait for another process."""
    result: list[Any] = []
    thread = threading.Thread(target=lambda: result.append(function()), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "it waits"
    return result[0]


def pipe(path: Path) -> Path:
    """A pipe without a writer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    return path


@dataclass
class Swapped:
    """A runner whose artifact became a pipe after it was checked."""

    path: Path

    def artifacts(self, job_id: str) -> list[Artifact]:
        """The one artifact."""
        size = 3
        return [Artifact(job_id=JOB, name="x", kind="report", path=str(self.path), size_bytes=size, sha256="")]

    def resolve(self, handle: str) -> Path:
        """Its path."""
        return self.path

    def lineage(self, job_id: str) -> dict[str, object]:
        """Where it came from."""
        return {"kind": "align", "state": "succeeded", "params": {}}

    def get(self, job_id: str) -> JobRecord:
        """A job that has ended."""
        return JobRecord(job_id=JOB, kind="align", state="succeeded")

    def log_path(self, job_id: str) -> Path:
        """Its log."""
        return self.path


@pytest.mark.parametrize("name", ["x.txt", "x.png"])
def test_an_artifact_that_became_a_pipe_is_refused(tmp_path: Path, context: ToolContext, name: str) -> None:
    runner: Any = Swapped(pipe(tmp_path / name))
    there = ToolContext(replace(context.settings, roots=(tmp_path,)), runner)

    args = GetArtifactArgs(handle=f"artifact://{JOB}/x", inline=True)

    def refusal_of(function: Callable[[], Any]) -> str:
        with pytest.raises(UserError, match="a pipe") as refusal:
            function()
        return refusal.value.code

    shown = at_once(lambda: refusal_of(lambda: anyio.run(get_artifact, args, there)))
    read = at_once(lambda: refusal_of(lambda: read_resource(args.handle, runner, there.settings)))

    assert shown == read == "file_not_regular"


def test_a_published_artifact_that_is_a_pipe_has_changed(tmp_path: Path) -> None:
    made = Artifact(job_id=JOB, name="x", kind="report", path=str(pipe(tmp_path / "x")), size_bytes=3, sha256="")

    def verified() -> str:
        with pytest.raises(UserError) as refusal:
            artifacts.verify(made)
        return refusal.value.code

    assert at_once(verified) == "artifact_changed"


def test_a_log_progress_or_list_of_artifacts_that_is_a_pipe_is_empty(tmp_path: Path) -> None:
    attempt = AttemptFolder(tmp_path / "jobs" / JOB / "attempt-1")
    for path in (attempt.log, attempt.progress, attempt.artifacts):
        pipe(path)

    assert at_once(lambda: read_tail_lines(attempt.log, 1000)) == []
    assert at_once(lambda: read_latest(attempt.progress)) is None
    assert at_once(lambda: read_done(attempt.progress)) == 0
    assert at_once(lambda: metric_history.read([attempt.progress])).points == []
    assert at_once(lambda: artifacts.published([attempt])) == []


def test_a_log_that_is_a_pipe_is_refused_at_the_shell(tmp_path: Path) -> None:
    runner: Any = Swapped(pipe(tmp_path / "log"))

    def shown() -> str:
        with pytest.raises(UserError) as refusal:
            show_log(runner, JOB, io.StringIO(), follow=False)
        return refusal.value.code

    assert at_once(shown) == "file_not_regular"


def test_a_log_reaches_the_terminal_without_sequences(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"1 %\r2 %\r\n\x1b]0;owned\x07done\xff\xe2\x80\xae\n")
    runner: Any = Swapped(log)
    stream = io.StringIO()

    show_log(runner, JOB, stream, follow=False)

    assert stream.getvalue() == "1 %\n2 %\n\\u001b]0;owned\\u0007done\ufffd\\u202e\n"
