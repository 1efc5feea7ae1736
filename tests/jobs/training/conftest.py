"""A tiny base and a tiny coded dataset, and how to train on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from jobs.qwen.toy.checkpoints import make_toy_base
from jobs.runner.worker.context import JobContext
from jobs.settings import Settings
from jobs.training.params import Params

CODEBOOK_SIZE = 64
TEXTS = ["hello there", "the quick brown fox", "and that was all of it", "she said", "jumps over the lazy dog"]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 0.6B-shaped base with 64 codes a book."""
    return make_toy_base(tmp_path_factory.mktemp("base") / "toy", shape="0.6b", codebook_size=CODEBOOK_SIZE)


@pytest.fixture(scope="session")
def coded_rows() -> list[dict[str, Any]]:
    """Five clips of 8 to 12 random frames; the last is held out."""
    rng = np.random.default_rng(0)
    return [
        {
            "audio": "reference.wav",
            "ref_audio": "reference.wav",
            "text": text,
            "speaker": "slt",
            "language": "auto" if number == 1 else "english",
            "split": "validation" if number == 4 else "train",
            "audio_codes": rng.integers(0, CODEBOOK_SIZE, (8 + number, 16)).tolist(),
        }
        for number, text in enumerate(TEXTS)
    ]


@pytest.fixture
def write_manifest(tmp_path: Path) -> Callable[[list[dict[str, Any]]], Path]:
    """Write rows (and a second of tone as reference audio) as a coded manifest."""

    def write(rows: list[dict[str, Any]]) -> Path:
        tone = 0.1 * np.sin(np.arange(24_000) / 20)
        soundfile.write(tmp_path / "reference.wav", tone, 24_000)
        path = tmp_path / "train_manifest_qwen3.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def make_params(
    tiny_base: Path,
    coded_rows: list[dict[str, Any]],
    write_manifest: Callable[[list[dict[str, Any]]], Path],
    tmp_path: Path,
) -> Callable[..., Params]:
    """Parameters of a run of a few steps on the tiny dataset; keywords replace the defaults."""
    manifest = write_manifest(coded_rows)

    def make(**changes: Any) -> Params:
        given = {
            "manifest": str(manifest), "base_model": str(tiny_base), "out_dir": str(tmp_path / "out"), "epochs": 3,
            "samples": 0, "batch_size": 2, "lr": 1e-3, "warmup_steps": 2, "seed": 7,
            "early_stop": 0,  # what is learnt by heart here is unlearnt elsewhere
        }  # fmt: skip
        return Params(**{**given, **changes})

    return make


@pytest.fixture
def settings(make_context: Callable[[], JobContext]) -> Settings:
    """Of a machine with an empty cache."""
    return make_context().settings
