"""Real Whisper weights for tests and measurements, from ``./run.sh setup whisper``; a test without them skips."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobs.settings import Settings


def find_whisper(name: str) -> Path | None:
    """Return the folder of ``whisper-base`` or ``whisper-tiny.en``; ``TTS_TRAIN_TEST_WHISPER`` names another parent."""
    given = os.environ.get("TTS_TRAIN_TEST_WHISPER")
    folder = (Path(given) if given else Settings.from_environment().envs / "whisper") / name
    return folder if (folder / "model.bin").is_file() else None


def need_whisper(name: str) -> Path:
    """Return the folder of a model, or skip the test and say what it needs."""
    folder = find_whisper(name)
    if folder is None:
        pytest.skip(f"needs the real weights of {name}: ./run.sh setup whisper")
    return folder
