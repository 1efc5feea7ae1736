"""Hostile changes of a wav2vec2 model's folder."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.support.hostile.safetensors_files import write_weights
from tests.support.hostile.voices import edit_json, link_out, make_pipe

WEIGHTS = "model.safetensors"


class _Evil:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


def _pickled(folder: Path, content: bytes | None = None) -> None:
    (folder / WEIGHTS).unlink()
    if content is not None:
        (folder / "pytorch_model.bin").write_bytes(content)
    else:
        torch.save({"a": _Evil(folder / "trace")}, folder / "pytorch_model.bin")


def _without_a_layer(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    del weights["lm_head.weight"]
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def _config(**entries: Any) -> Callable[[Path], None]:
    return lambda folder: edit_json(folder / "config.json", **entries)


# What is wrong -> (change of an aligner's folder, code of the refusal).
HOSTILE_ALIGNERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights that are a link out": (lambda f: link_out(f, WEIGHTS), "path_outside_model"),
    "a vocabulary that is a pipe": (lambda f: make_pipe(f, "vocab.json"), "file_not_regular"),
    "weights without tensors": (lambda f: write_weights(f / WEIGHTS, {}), "model_broken"),
    "weights without the last layer": (_without_a_layer, "model_broken"),
    "a pickle that runs": (_pickled, "model_broken"),
    "a bare pickle that runs": (lambda f: _pickled(f, pickle.dumps(_Evil(f / "trace"))), "model_broken"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "model_without_weights"),
    "another kind of model": (_config(model_type="llama"), "model_broken"),
    "10**6 layers": (_config(num_hidden_layers=10**6), "model_broken"),
    "a width of 10**9": (_config(hidden_size=10**9), "model_broken"),
    "convolutions of 10**9": (_config(conv_dim=[10**9] * 7), "model_broken"),
    "10**5 convolutions": (_config(conv_dim=[1] * 10**5), "model_broken"),
    "convolutions that are a word": (_config(conv_dim="x"), "model_broken"),
    "a config nested deeply": (lambda f: (f / "config.json").write_text("[" * 200_000), "model_broken"),
    "a label without a place": (lambda f: edit_json(f / "vocab.json", a=10**9), "model_broken"),
    "a vocabulary that is a list": (lambda f: (f / "vocab.json").write_text("[]"), "model_broken"),
    "a vocabulary nested deeply": (lambda f: (f / "vocab.json").write_text("[" * 200_000), "model_broken"),
}


def make_hostile_aligner(kind: str, aligner: Path, folder: Path) -> Path:
    """Copy an aligner's folder, change it as ``HOSTILE_ALIGNERS`` says, and return the copy."""
    shutil.copytree(aligner, folder)
    HOSTILE_ALIGNERS[kind][0](folder)
    return folder
