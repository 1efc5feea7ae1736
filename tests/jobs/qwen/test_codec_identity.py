"""The identity of a tokenizer: its codebooks, in any number format."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from jobs.model_folders.contents import ModelFolder
from jobs.qwen.codec_identity import identify_tokenizer
from jobs.qwen.toy.checkpoints import TOY_CODEC, make_toy_codec


def test_the_same_codebooks_in_another_number_format_are_the_same_tokenizer(tmp_path: Path) -> None:
    first, other = make_toy_codec(tmp_path / "a", seed=1), make_toy_codec(tmp_path / "b", seed=2)
    half = tmp_path / "half"
    shutil.copytree(first, half)
    weights = load_file(half / "model.safetensors")
    save_file({name: each.to(torch.bfloat16) for name, each in weights.items()}, half / "model.safetensors")

    one, same, different = (identify_tokenizer(ModelFolder.at(path), str(path)) for path in (first, half, other))

    assert (one.name, one.codebook_size) == ("a", 2048)
    assert one.fingerprint == same.fingerprint
    assert one.fingerprint != different.fingerprint
    assert identify_tokenizer(ModelFolder.at(TOY_CODEC), "toy").codebook_size == 256
