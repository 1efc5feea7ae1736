"""A dataset of clips with texts, one of them with notes of another program in its file."""

from __future__ import annotations

import json
import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RATE = 24_000
NOTE = b"made in /home/anna/books"


def write_wav(path: Path, seconds: float, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = (np.random.default_rng(seed).standard_normal(int(RATE * seconds)) * 1000).astype("<i2")
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(RATE)
        stream.writeframes(samples.tobytes())


def add_note(path: Path) -> None:
    """Add a chunk of notes before the samples, as editors do."""
    content = path.read_bytes()
    chunk = struct.pack("<4sI", b"LIST", len(NOTE)) + NOTE
    body = content[12:36] + chunk + content[36:]
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    folder = tmp_path / "datasets" / "nora"
    rows: list[dict[str, Any]] = []
    for index in range(5):
        write_wav(folder / "clips" / f"{index:06}.wav", 1.0 + index, index)
        rows.append(
            {
                "audio": f"clips/{index:06}.wav",
                "text": f"Sentence <b>{index}</b> | of the book.",
                "speaker": "nora",
                "language": "german" if index else "english",
                "duration_s": 1.0 + index,
                "source": {"recording": "secret recording.m4b", "chapter": index, "start_s": 0.0, "end_s": 1.0},
                "quality": {"snr_db": 40.0 + index, "loudness_lufs": -20.0},
                "split": "validation" if index == 4 else "train",
                "transcript": "book" if index else "asr",
            }
        )
    add_note(folder / "clips" / "000001.wav")
    path = folder / "train_manifest.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
