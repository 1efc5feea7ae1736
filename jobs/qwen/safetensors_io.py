"""Reading of weights from safetensors files, one or several with an index, by name and without loading a model."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import torch
from safetensors import safe_open

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"


def weight_files(folder: Path) -> list[Path]:
    """List the safetensors files of a model's directory in a fixed order."""
    index = folder / INDEX
    if not index.is_file():
        return [folder / WEIGHTS]
    return [folder / name for name in sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))]


def read_tensors(files: list[Path], prefix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Yield (name, tensor) of all tensors whose name starts with ``prefix``, in their own dtype, on the CPU."""
    with ExitStack() as stack:
        for path in files:
            opened = stack.enter_context(safe_open(str(path), framework="pt"))
            for name in opened.keys():  # noqa: SIM118 - not a mapping
                if name.startswith(prefix):
                    yield name, opened.get_tensor(name)
