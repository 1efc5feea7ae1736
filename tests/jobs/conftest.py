"""What tests of several kinds of work share: a context that records, and the sample audiobook's sentences."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jobs.files.records import read_record
from jobs.runner.client.runner import Runner
from jobs.runner.paths import Home
from jobs.runner.worker.context import Cancelled
from jobs.settings import PROJECT_ROOT, Settings
from tests.support.shared_work import do_once

PRINTING = PROJECT_ROOT.parent / "shared" / "data" / "printing"
SMALL_GROUP_BYTES = 64_000_000
CGROUPS_V1, CGROUPS_V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


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
    published: dict[str, tuple[Path, str]] = field(default_factory=dict)

    def progress(self, done: float, total: float | None = None, message: str = "", **metrics: float) -> None:
        """Remember one report."""
        self.messages.append(message)
        self.metrics.append(metrics)
        if total:
            self.fractions.append(done / total)

    def publish(self, name: str, path: Path, kind: str) -> str:
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
    (tmp_path / "job").mkdir()
    return lambda: _context_in(tmp_path)


@pytest.fixture(scope="session")
def context_in() -> Callable[[Path], RecordedContext]:
    """Make the context of a job that lies in a given folder, for work that tests share."""

    def make(folder: Path) -> RecordedContext:
        (folder / "job").mkdir()
        return _context_in(folder)

    return make


def _context_in(folder: Path) -> RecordedContext:
    settings = Settings(
        home=folder / "home",
        envs=folder / "envs",
        roots=(folder, PROJECT_ROOT),
        # models in the developer's own cache must not change what a test does
        hub_cache=folder / "hub",
        torch_cache=folder / "torch",
    )
    return RecordedContext(folder=folder / "job", settings=settings)


@pytest.fixture(scope="session")
def ingested_printing(
    tmp_path_factory: pytest.TempPathFactory, context_in: Callable[[Path], RecordedContext]
) -> tuple[Path, Any]:
    """Dataset of a real recording, which is not part of the project, and the ingest's result; tests change neither."""
    from jobs.ingest_audiobook.params import Params
    from jobs.ingest_audiobook.work import run

    if not (PRINTING / "book.m4b").is_file():
        pytest.skip("needs the LJ Speech excerpt in ../shared/data/printing (book.m4b, book.txt, utterances.jsonl)")

    def ingest(folder: Path) -> Any:
        audio, text = str(PRINTING / "book.m4b"), str(PRINTING / "book.txt")
        return run(Params(audio=audio, text=text, voice="lj", out_dir=str(folder / "lj")), context_in(folder))

    folder, result = do_once(tmp_path_factory, "ingested printing", ingest)
    return folder / "lj", result


@pytest.fixture(scope="session")
def fables() -> list[tuple[str, object]]:
    """The sample audiobook cut at its pauses: (sentence, float32 samples at 24 kHz), 18 of them."""
    from jobs.rate_samples.anchors import read_bundled_voice

    return list(read_bundled_voice())


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
        start = read_record(attempt.start) or {}
        with contextlib.suppress(ProcessLookupError, KeyError):
            os.kill(int(start["pid"]), signal.SIGKILL)

    return kill


@pytest.fixture(scope="session")
def sounding_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random base with a codec that makes sound."""
    from tests.support.toy.training_data import make_base

    return make_base(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="session")
def sounding_voice(sounding_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a model with two preset speakers, to train another one from."""
    import torch

    from jobs.qwen.export import write_voice
    from jobs.qwen.loading import load_base

    model = load_base(sounding_base, "cpu", torch.float32).model
    width = model.config.talker_config.hidden_size
    presets = {name: torch.full((width,), value) for name, value in (("ryan", 0.1), ("vivian", -0.1))}
    return write_voice(model, sounding_base, tmp_path_factory.mktemp("presets") / "model", voices=presets, card={})


@pytest.fixture
def sounding_manifest(fables: list[tuple[str, Any]], tmp_path: Path) -> Path:
    """train_manifest_qwen3.jsonl of eight clips of the sample, with codes of chance; the last one is held out."""
    from tests.support.toy.training_data import write_manifest

    return write_manifest(tmp_path, fables)


@pytest.fixture
def tasks_of_small_group() -> Iterator[Path]:
    """The file through which a process joins a memory cgroup of 64 MB; made here, where root may."""
    is_v1 = (CGROUPS_V1 / "memory.limit_in_bytes").exists()
    group = (CGROUPS_V1 if is_v1 else CGROUPS_V2) / f"tts-train-test-{os.getpid()}"
    limit = group / ("memory.limit_in_bytes" if is_v1 else "memory.max")
    try:
        group.mkdir()
        limit.write_text(str(SMALL_GROUP_BYTES))
        swap = group / ("memory.memsw.limit_in_bytes" if is_v1 else "memory.swap.max")
        if swap.exists():
            swap.write_text(str(SMALL_GROUP_BYTES) if is_v1 else "0")
    except OSError as error:
        if group.exists():
            group.rmdir()
        pytest.skip(f"no memory cgroup can be made here: {error}")
    yield group / "cgroup.procs"
    group.rmdir()
