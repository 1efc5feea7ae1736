"""Recordings for ingest tests: made of a sine, noise and silence, or the sample audiobook."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.settings import PROJECT_ROOT

PRINTING = PROJECT_ROOT.parent / "shared" / "data" / "printing"


@pytest.fixture
def sample_book() -> dict[str, Any]:
    """Parameters that make a clip of each sentence of the sample audiobook; DNSMOS costs 3 s a time."""
    folder = PROJECT_ROOT / "samples"
    return {"audio": str(folder / "fables.m4b"), "text": str(folder / "fables.txt"), "voice": "slt",
            "quality": {"dnsmos": "off"}, "min_clip_s": 1.5, "target_clip_s": 2.0, "max_clip_s": 10.0}  # fmt: skip


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
