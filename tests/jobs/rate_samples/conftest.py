"""A small dataset of the sample audiobook's voice, with takes of the same and of damaged speech."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from jobs.speech.audio import CLIP_RATE_HZ, write_clip

Clip = tuple[str, np.ndarray]


@pytest.fixture
def write_manifest() -> Callable[..., Path]:
    """Write clips as wavs in a folder and a manifest of them: (folder, name, clips, columns) -> path."""

    def write(folder: Path, name: str, clips: Sequence[Clip], **columns: object) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        lines = []
        for number, (text, audio) in enumerate(clips):
            write_clip(folder / f"{number:02d}.wav", audio, CLIP_RATE_HZ)
            line = {"audio": f"{number:02d}.wav", "text": text, "duration_s": len(audio) / CLIP_RATE_HZ, **columns}
            lines.append(json.dumps(line) + "\n")
        (folder / name).write_text("".join(lines))
        return folder / name

    return write
