"""Recordings for ingest tests: made of a sine, noise and silence, or the sample audiobook."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobs.ingest_audiobook.params import Params, Result
from jobs.ingest_audiobook.work import run
from jobs.settings import PROJECT_ROOT
from tests.support.shared_work import do_once

PRINTING = PROJECT_ROOT.parent / "shared" / "data" / "printing"


@dataclass(frozen=True)
class Ingested:
    """The sample book's dataset, made once for all tests, which copy what they change; and what its job reported."""

    dataset: Path
    result: Result
    published: set[str]
    fractions: list[float]


def _sample_book() -> dict[str, Any]:
    folder = PROJECT_ROOT / "samples"
    return {"audio": str(folder / "fables.m4b"), "text": str(folder / "fables.txt"), "voice": "slt",
            "quality": {"dnsmos": "off"}, "min_clip_s": 1.5, "target_clip_s": 2.0, "max_clip_s": 10.0,
            "validation_chapters": [2]}  # fmt: skip


@pytest.fixture
def sample_book() -> dict[str, Any]:
    """Parameters that make a clip of each sentence of the sample audiobook; DNSMOS costs 3 s a time."""
    return _sample_book()


@pytest.fixture(scope="session")
def ingested(tmp_path_factory: pytest.TempPathFactory, context_in: Callable[[Path], Any]) -> Ingested:
    """The outcome of an ingest with the parameters ``sample_book``."""

    def ingest(folder: Path) -> tuple[Result, set[str], list[float]]:
        context = context_in(folder)
        result = run(Params(**_sample_book(), out_dir=str(folder / "slt")), context)
        return result, set(context.published), context.fractions

    folder, (result, published, fractions) = do_once(tmp_path_factory, "ingested sample", ingest)
    return Ingested(folder / "slt", result, published, fractions)


@pytest.fixture
def printing() -> Path:
    """Folder of a real recording with known utterances, which is not part of the project."""
    if not (PRINTING / "book.m4b").is_file():
        pytest.skip("needs the LJ Speech excerpt in ../shared/data/printing (book.m4b, book.txt, utterances.jsonl)")
    return PRINTING


@pytest.fixture
def rows() -> Callable[[Path], list[dict[str, Any]]]:
    """Read a JSONL file."""
    return lambda path: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="session")
def toy_whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Whisper of random weights, whose text is never to be trusted."""
    from tests.support.toy.models import make_toy_whisper

    return make_toy_whisper(tmp_path_factory.mktemp("whisper") / "model")
