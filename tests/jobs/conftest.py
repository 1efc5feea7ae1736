"""What tests of several kinds of work share: a context that records, and the sample audiobook's sentences."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jobs.runner.client import Runner
from jobs.runner.context import ArtifactKind, Cancelled
from jobs.runner.durable import read_json
from jobs.runner.layout import Home
from jobs.settings import PROJECT_ROOT, Settings


@dataclass
class RecordedContext:
    """A ``JobContext`` that remembers what it was told and can be cancelled after some calls."""

    folder: Path
    settings: Settings
    job_id: str = "test-20261122-120000-0000"
    cancel_after_progress: int | None = None
    messages: list[str] = field(default_factory=list)
    fractions: list[float] = field(default_factory=list)
    metrics: list[dict[str, float]] = field(default_factory=list)
    published: dict[str, tuple[Path, ArtifactKind]] = field(default_factory=dict)

    def progress(self, done: float, total: float | None = None, message: str = "", **metrics: float) -> None:
        """Remember one report."""
        self.messages.append(message)
        self.metrics.append(metrics)
        if total:
            self.fractions.append(done / total)

    def publish(self, name: str, path: Path, kind: ArtifactKind) -> str:
        """Remember one artifact."""
        assert path.exists()
        self.published[name] = (path, kind)
        return f"artifact://{self.job_id}/{name}"

    def raise_if_cancelled(self) -> None:
        """Cancel once enough progress was reported."""
        if self.cancel_after_progress is not None and len(self.messages) >= self.cancel_after_progress:
            raise Cancelled


@pytest.fixture
def make_context(tmp_path: Path) -> Callable[[], RecordedContext]:
    """Make one attempt's context after another for the same job: all share the job's folder."""
    folder = tmp_path / "job"
    folder.mkdir()
    settings = Settings(
        home=tmp_path / "home",
        envs=tmp_path / "envs",
        roots=(tmp_path, PROJECT_ROOT),
        # models in the developer's own cache must not change what a test does
        hub_cache=tmp_path / "hub",
        torch_cache=tmp_path / "torch",
    )
    return lambda: RecordedContext(folder=folder, settings=settings)


@pytest.fixture(scope="session")
def fables() -> list[tuple[str, object]]:
    """The sample audiobook cut at its pauses: (sentence, float32 samples at 24 kHz), 18 of them."""
    import numpy as np

    from jobs.speech.audio import CLIP_RATE_HZ, read_clip

    samples = read_clip(PROJECT_ROOT / "samples" / "fables.m4b", CLIP_RATE_HZ)
    sentences = (PROJECT_ROOT / "samples" / "fables.txt").read_text(encoding="utf-8").split("\n")
    window = CLIP_RATE_HZ // 50
    is_loud = np.abs(samples[: len(samples) // window * window]).reshape(-1, window).max(axis=1) > 0.01
    loud = np.flatnonzero(is_loud)
    ends = np.flatnonzero(np.diff(loud) > 35)  # pauses within a sentence are shorter than 0.7 s
    starts_at = [loud[0], *loud[ends + 1]]
    ends_at = [*loud[ends], loud[-1]]
    margin = CLIP_RATE_HZ // 10
    clips = [
        samples[max(0, start * window - margin) : (end + 1) * window + margin]
        for start, end in zip(starts_at, ends_at, strict=True)
    ]
    return list(zip([sentence for sentence in sentences if sentence], clips, strict=True))


@pytest.fixture
def live_settings(tmp_path: Path, end_processes_of: Callable[[Path], None]) -> Iterator[Settings]:
    """A home whose jobs really run, by the interpreter of the tests, one thread each; all are ended with the test."""
    python = tmp_path / "envs" / "ml" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nOMP_NUM_THREADS=1 exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    home = tmp_path / "home"
    yield Settings(home, tmp_path / "envs", (tmp_path, PROJECT_ROOT, home), disk_reserve_bytes=1_000_000)
    end_processes_of(home)


@pytest.fixture
def kill_worker() -> Callable[[Runner, str], None]:
    """Kills the worker of a job's newest attempt, if it has one; its children go on."""

    def kill(runner: Runner, job_id: str) -> None:
        attempt = Home(Path(runner.get(job_id).folder).parents[1]).attempt(job_id, runner.get(job_id).attempt)
        start = read_json(attempt.start) or {}
        with contextlib.suppress(ProcessLookupError, KeyError):
            os.kill(int(start["pid"]), signal.SIGKILL)

    return kill
