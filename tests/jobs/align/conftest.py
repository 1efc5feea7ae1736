"""Small datasets to align: clips of the sample audiobook, and of a real recording where it is there."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.dataset.manifest import Clip, write_rows
from jobs.settings import PROJECT_ROOT

PRINTING = PROJECT_ROOT.parent / "shared" / "data" / "printing"


@pytest.fixture
def make_dataset(tmp_path) -> Callable[..., Path]:
    """Write clips and their manifest; returns the manifest."""

    def make(clips: Sequence[tuple[str, np.ndarray]], **fields: str) -> Path:
        folder = tmp_path / "dataset"
        (folder / "clips").mkdir(parents=True)
        rows = []
        for number, (text, samples) in enumerate(clips):
            write_clip(folder / "clips" / f"{number}.wav", samples, CLIP_RATE_HZ)
            about = {
                "duration_s": len(samples) / CLIP_RATE_HZ,
                "transcript": "curated",
                "language": "english",
                **fields,
            }
            rows.append(Clip(audio=f"clips/{number}.wav", text=text, **about))
        write_rows(folder / "train_manifest.jsonl", rows)
        return folder / "train_manifest.jsonl"

    return make


@pytest.fixture(scope="session")
def printing() -> list[tuple[str, Path]]:
    """(text, FLAC at 22.05 kHz) of 20 utterances of a LibriVox reader."""
    if not PRINTING.is_dir():
        pytest.skip("needs ../shared/data/printing, a real recording that is not part of the project")
    lines = (PRINTING / "transcripts.jsonl").read_text(encoding="utf-8").splitlines()
    return [(line["text"], PRINTING / "clips" / line["audio_file"]) for line in map(json.loads, lines)]
