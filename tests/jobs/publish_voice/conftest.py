"""A voice with a card that names what must not be published, its takes and their ratings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.qwen.export import write_voice
from jobs.qwen.loading import load_base
from jobs.qwen.toy.checkpoints import TOY_CODEC, make_toy_base

SECRET = "hf_" + "a1B2" * 6


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models") / "base"
    base = make_toy_base(folder, shape="0.6b", codebook_size=256, codec=TOY_CODEC, weight_std=0.1)
    card = {
        "made_by": "tts-train",
        "base_model": f"{Path.home()}/models/Qwen3-TTS-12Hz-0.6B-Base",
        "run": {"params": {"lr": 2e-5, "method": "full", "manifest": f"{Path.home()}/books/anna/train.jsonl"}},
        "note": f"token {SECRET} of /home/somebody/secret folder/key.txt",
        "n_clips": 10,
        "speech_s": 7200.0,
        "languages": ["german"],
        "steps": 40,
        "first_loss": 9.0,
        "last_loss": 2.5,
        "validation_loss": 3.25,
        "made_with": {"version": "0.1.0", "revision": "abc", "lock_sha256": "def"},
        "packages": {"torch": "2.8.0"},
    }
    embedding = torch.randn(64, generator=torch.Generator().manual_seed(0)) * 0.05
    model = load_base(base, "cpu", torch.float32).model
    return write_voice(model, base, base.with_name("voice"), voices={"nora": embedding}, card=card)


@pytest.fixture
def voice(trained: Path, tmp_path: Path) -> Path:
    """A copy, beside which other files of a training lie."""
    voice = tmp_path / "nora" / "voice"
    shutil.copytree(trained, voice)
    (voice / "notes.txt").write_text("mine")
    return voice


@pytest.fixture
def takes(tmp_path: Path) -> Path:
    folder = tmp_path / "takes"
    folder.mkdir()
    rows: list[dict[str, Any]] = [
        {"audio": "001.wav", "text": "The evening train was late."},
        {"audio": "002.wav", "text": "The evening train was late.", "take": 2},
        {"audio": "003.wav", "text": "<script>|Cut off.", "hit_limit": True},
        {"audio": "004.wav", "text": "A <b>bold</b> line | of text."},
    ]
    for row in rows:
        (folder / str(row["audio"])).write_bytes(b"RIFF" + str(row["audio"]).encode())
    (folder / "takes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "takes.jsonl"


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.json"
    content = {
        "summary": {"mean": 4.123, "low": 3.9, "high": 4.3, "n_takes": 12, "n_texts": 6},
        "anchors": {"narrator": {"mean": 4.7, "n": 8}, "zero_shot": {"mean": 3.1, "n": 6}, "other_speaker": None},
        "caveat": "Automatic: a person must listen.",
        "takes": [],
    }
    path.write_text(json.dumps(content))
    return path
