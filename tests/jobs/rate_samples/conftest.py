"""A small dataset of the sample audiobook's voice, takes of intact and damaged speech, tiny random judge models."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.runner.worker.context import JobContext
from jobs.settings import Settings

Clip = tuple[str, np.ndarray]


class QuietContext(JobContext):
    """A context without progress or cancellation, with empty caches."""

    def __init__(self, folder: Path, hub_cache: Path | None = None) -> None:
        self.job_id, self.folder = "rate_samples-test", folder
        self.settings = Settings(folder, folder, (folder,), hub_cache=hub_cache or folder / "hub")

    def progress(self, done: float, total: float | None = None, message: str = "", **metrics: float) -> None: ...
    def publish(self, name: str, path: Path, kind: Any) -> str:
        return name

    def raise_if_cancelled(self) -> None: ...


@pytest.fixture(scope="session")
def quiet_context() -> Callable[..., QuietContext]:
    """Return a factory of contexts: (folder, hub_cache) -> context."""
    return QuietContext


@pytest.fixture(scope="session")
def write_manifest() -> Callable[..., Path]:
    """Write clips as wavs in a folder and a manifest of them: (folder, name, clips, columns) -> path."""

    def write(folder: Path, name: str, clips: Sequence[Clip], **columns: object) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        lines = []
        for number, (text, audio) in enumerate(clips):
            write_clip(folder / f"{number:02d}.wav", audio, CLIP_RATE_HZ)
            line = {
                "audio": f"{number:02d}.wav",
                "text": text,
                "language": "english",
                "duration_s": len(audio) / CLIP_RATE_HZ,
                **columns,
            }
            lines.append(json.dumps(line) + "\n")
        (folder / name).write_text("".join(lines))
        return folder / name

    return write


@pytest.fixture(scope="session")
def toy_xvector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random WavLMForXVector: the real class, a few kilobytes; its embeddings mean nothing."""
    import torch
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMForXVector

    folder = tmp_path_factory.mktemp("models") / "toy-wavlm-sv"
    torch.manual_seed(0)
    config = WavLMConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, tdnn_dim=(32, 32, 32, 32, 64),
        xvector_output_dim=24,
    )  # fmt: skip
    WavLMForXVector(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder
