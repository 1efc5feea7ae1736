"""A German text is placed in German speech by real weights, which are not part of the project."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.work import make_clips
from jobs.settings import PROJECT_ROOT

LANGUAGES = PROJECT_ROOT.parent / "shared" / "data" / "languages"


@pytest.fixture
def whisper_base() -> Path:
    """The folder of a multilingual Whisper base for faster-whisper."""
    folder = Path(os.environ.get("TTS_TRAIN_TEST_WHISPER", PROJECT_ROOT.parent / "shared" / "whisper")) / "whisper-base"
    if not (folder / "model.bin").is_file():
        pytest.skip("needs real Whisper weights: TTS_TRAIN_TEST_WHISPER names a folder with whisper-base")
    return folder


def test_numbers_and_abbreviations_of_a_german_book_are_kept_as_it_writes_them(
    whisper_base: Path, tmp_path: Path, make_context: Callable[[], Any]
) -> None:
    if not (LANGUAGES / "german.flac").is_file():
        pytest.skip("needs the German recording in ../shared/data/languages")
    params = Params(
        audio=str(LANGUAGES / "german.flac"), text=str(LANGUAGES / "german.txt"), voice="anna", language="german",
        whisper_model=str(whisper_base), whisper_device="cpu", end_s=11.0, out_dir=str(tmp_path / "anna"),
    )  # fmt: skip

    records = list(make_clips(params, make_context()).state.finished())

    clips = [clip for record in records for clip in record.clips]
    assert [(clip.text, clip.transcript) for clip in clips] == [
        (
            "Am 3. Mai 1889 kam Herr Dr. Müller um 8 Uhr in die Stadt. "
            "Er hatte 25 Bücher dabei, z. B. ein altes Wörterbuch.",
            "book",
        )
    ]
    assert sum(record.n_words for record in records) == 24
