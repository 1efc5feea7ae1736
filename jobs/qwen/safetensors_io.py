"""Weights of safetensors files, one or several with an index: one tensor in memory at a time, without a model."""

import json
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import safe_open

from jobs.files.atomic_io import open_binary
from jobs.files.reading import open_regular
from jobs.model_folders.contents import ModelFolder
from jobs.model_folders.safetensors_header import ITEM_BYTES, TensorInfo, find_weights, read_places

COPIED_BYTES = 1 << 24  # in memory at a time
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file.

    Attributes:
        start: first byte of its data.
    """

    path: Path
    info: TensorInfo
    start: int

    @property
    def n_bytes(self) -> int:
        """Size of its data."""
        return math.prod(self.info.shape) * ITEM_BYTES[self.info.dtype]

    def read(self) -> torch.Tensor:
        """Read a tensor of floating-point numbers into memory."""
        data = bytearray(self.n_bytes)
        with open_regular(self.path) as stream:
            stream.seek(self.start)
            if stream.readinto(data) != len(data):
                raise OSError(f"{self.path} is shorter than its header says")
        dtype = DTYPES[self.info.dtype]
        flat = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        return flat.reshape(self.info.shape)

    def copy_to(self, out: BinaryIO) -> None:
        """Copy its data in parts."""
        left = self.n_bytes
        with open_regular(self.path) as stream:
            stream.seek(self.start)
            while left:
                part = stream.read(min(COPIED_BYTES, left))
                if not part:
                    raise OSError(f"{self.path} is shorter than its header says")
                out.write(part)
                left -= len(part)


def weight_files(folder: Path) -> list[Path]:
    """List the safetensors files of a model's directory, as real paths, in the order of their names.

    Raises:
        UserError: ``model_without_weights``, ``model_broken``, ``path_outside_model``, ``file_not_regular``.
    """
    return list(find_weights(ModelFolder.at(folder)).values())


def stored_tensors(files: list[Path]) -> dict[str, StoredTensor]:
    """Locate all tensors of files by name.

    Raises:
        UserError: ``model_broken``, ``file_not_regular``.
    """
    return {
        name: StoredTensor(path, info, start) for path in files for name, (info, start) in read_places(path).items()
    }


def read_tensors(files: list[Path], prefix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Yield (name, tensor) of all tensors whose name starts with ``prefix``, in their own dtype, on the CPU."""
    for path in files:
        with safe_open(str(path), framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - not a mapping
                if name.startswith(prefix):
                    yield name, opened.get_tensor(name)


def write_tensors(path: Path, tensors: Mapping[str, StoredTensor], changed: Mapping[str, Any]) -> None:
    """Write a safetensors file, one tensor after the other: in memory is the largest changed one, not the model.

    Args:
        tensors: what to write; shapes and number formats are kept.
        changed: by name, a function from the stored tensor to the one that is written instead; the others are copied.
    """
    # wide number formats first, so that each tensor starts at a multiple of its item's size
    names = sorted(tensors, key=lambda name: (-ITEM_BYTES[tensors[name].info.dtype], name))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in names:
        start, end = end, end + tensors[name].n_bytes
        info = tensors[name].info
        header[name] = {"dtype": info.dtype, "shape": list(info.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open_binary(path, sync=False) as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            stored = tensors[name]
            if name not in changed:
                stored.copy_to(out)
                continue
            tensor = changed[name](stored.read())
            if tuple(tensor.shape) != stored.info.shape:
                raise ValueError(f"{name} has shape {list(tensor.shape)}, the base's {list(stored.info.shape)}")
            data = tensor.to("cpu", DTYPES[stored.info.dtype]).contiguous().flatten().view(torch.uint8)
            out.write(memoryview(data.numpy()))
            del tensor, data
