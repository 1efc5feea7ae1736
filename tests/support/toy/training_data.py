"""A toy that makes sound and a dataset for it, for tests and measurements of whole loops."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples, write_clip
from jobs.qwen.toy.checkpoints import TOY_CODEC, make_toy_base

BOOK = 256  # codes of the toy codec
N_CLIPS = 8


def make_base(folder: Path) -> Path:
    """A random base with a codec that makes sound."""
    return make_toy_base(folder, shape="0.6b", codebook_size=BOOK, codec=TOY_CODEC, weight_std=0.1)


def write_manifest(folder: Path, fables: list[tuple[str, Samples]]) -> Path:
    """train_manifest_qwen3.jsonl of eight clips of the sample, with codes of chance; the last one is held out."""
    dice = np.random.default_rng(0)
    lines = []
    for number, (text, audio) in enumerate(fables[:N_CLIPS]):
        write_clip(folder / f"{number}.wav", audio, CLIP_RATE_HZ)
        codes = dice.integers(0, BOOK, (12, 16)).tolist()
        lines.append({"audio": f"{number}.wav", "ref_audio": "0.wav", "text": text, "speaker": "slt",
                      "language": "english", "duration_s": len(audio) / CLIP_RATE_HZ, "audio_codes": codes,
                      "split": "validation" if number == N_CLIPS - 1 else "train"})  # fmt: skip
    manifest = folder / "train_manifest_qwen3.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return manifest
