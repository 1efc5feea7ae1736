"""A small dataset of the sample audiobook's first sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.dataset.manifest import Clip, TimedWord, write_rows


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def make_dataset(tmp_path: Path, fables: list[tuple[str, NDArray[np.float32]]]) -> Callable[[int], Path]:
    """Write ``train_aligned.jsonl`` with the first n sentences as 24 kHz clips; the second is aligned best."""

    def make(n_clips: int) -> Path:
        folder = tmp_path / "dataset"
        (folder / "clips").mkdir(parents=True)
        rows = []
        for number, (sentence, samples) in enumerate(fables[:n_clips]):
            padded = np.pad(samples, (0, max(0, round(3.05 * CLIP_RATE_HZ) + 777 * number - len(samples))))
            write_clip(folder / "clips" / f"{number:03d}.wav", padded, CLIP_RATE_HZ)
            score = 0.9 if number == 1 else 0.5
            word = TimedWord(word=sentence.split()[0].lower(), start_s=0.1, end_s=0.4, score=score)
            rows.append(Clip(audio=f"clips/{number:03d}.wav", text=sentence, speaker="narrator", words=[word]))
        write_rows(folder / "train_aligned.jsonl", rows)
        return folder / "train_aligned.jsonl"

    return make
