"""A voice of tiny random weights that speaks noise, made in a second."""

from __future__ import annotations

from pathlib import Path

import torch

from jobs.qwen.export import write_voice
from jobs.qwen.loading import load_base
from jobs.qwen.toy.checkpoints import TOY_CODEC, make_toy_base


def make_noise_voice(folder: Path) -> Path:
    """Write the base and the voice into a folder, and return the voice's."""
    torch.set_num_threads(1)
    base = make_toy_base(folder / "base", shape="0.6b", codebook_size=256, codec=TOY_CODEC, weight_std=0.1)
    embedding = torch.randn(64, generator=torch.Generator().manual_seed(0)) * 0.05
    model = load_base(base, "cpu", torch.float32).model
    return write_voice(model, base, base.with_name("voice"), voices={"nora": embedding}, card={})
