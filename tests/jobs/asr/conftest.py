"""One toy Whisper and one toy aligner for the whole run."""

from pathlib import Path

import pytest

from tests.support.toy.models import make_toy_aligner, make_toy_whisper


@pytest.fixture(scope="session")
def toy_whisper(tmp_path_factory) -> Path:
    return make_toy_whisper(tmp_path_factory.mktemp("whisper") / "model")


@pytest.fixture(scope="session")
def toy_aligner(tmp_path_factory) -> Path:
    return make_toy_aligner(tmp_path_factory.mktemp("aligner") / "model")
