"""A tiny base model and a voice exported from it, both with the committed one-voice codec."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from jobs.qwen.export import write_voice
from jobs.qwen.loading import load_base
from jobs.qwen.toy.checkpoints import TOY_CODEC, make_toy_base


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models") / "base"
    return make_toy_base(folder, shape="0.6b", codebook_size=256, codec=TOY_CODEC, weight_std=0.1)


@pytest.fixture(scope="session")
def large_voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice of the shape of a 1.7B, which takes an instruct."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("large") / "base"
    base = make_toy_base(folder, shape="1.7b", codebook_size=256, codec=TOY_CODEC, weight_std=0.1)
    embedding = torch.randn(64, generator=torch.Generator().manual_seed(0)) * 0.05
    model = load_base(base, "cpu", torch.float32).model
    return write_voice(model, base, base.with_name("voice"), voices={"nora": embedding}, card={})


@pytest.fixture(scope="session")
def voice(base: Path) -> Path:
    model = load_base(base, "cpu", torch.float32).model
    embedding = torch.randn(64, generator=torch.Generator().manual_seed(0)) * 0.05
    return write_voice(model, base, base.with_name("voice"), voices={"nora": embedding}, card={})
