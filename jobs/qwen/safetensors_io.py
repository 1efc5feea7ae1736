"""Reading of weights from safetensors files, one or several with an index, by name and without loading a model."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import torch
from safetensors import safe_open

from jobs.model_folders.contents import ModelFolder
from jobs.model_folders.safetensors_header import find_weights


def weight_files(folder: Path) -> list[Path]:
    """List the safetensors files of a model's directory, as real paths, in the order of their names.

    Raises:
        UserError: ``model_without_weights``, ``model_broken``, ``path_outside_model``, ``file_not_regular``.
    """
    return list(find_weights(ModelFolder.at(folder)).values())


def read_tensors(files: list[Path], prefix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Yield (name, tensor) of all tensors whose name starts with ``prefix``, in their own dtype, on the CPU."""
    with ExitStack() as stack:
        for path in files:
            opened = stack.enter_context(safe_open(str(path), framework="pt"))
            for name in opened.keys():  # noqa: SIM118 - not a mapping
                if name.startswith(prefix):
                    yield name, opened.get_tensor(name)
