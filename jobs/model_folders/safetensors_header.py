"""Headers of safetensors files: names, number formats and shapes of tensors, without reading a weight.

Format: 8 bytes of length, that much JSON, then the data. stdlib only.
"""

import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.files.json_documents import read_object
from jobs.files.reading import open_regular
from jobs.model_folders.contents import CONFIG_BYTES, ModelFolder, broken

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
NOTES = "__metadata__"
ITEM_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2,
    "U8": 1, "BOOL": 1,
}  # fmt: skip
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
HEADER_BYTES = 4_000_000  # the released models' have 60 kB; the library takes up to 100 MB
MOST_TENSORS = 100_000
MOST_DIMENSIONS = 8
MOST_WEIGHTS_BYTES = 16 * 2**30  # the largest released model has 3.9 GB, in float32 7.7 GB
SHARD = re.compile(r"[\w-][\w.-]*\.safetensors", re.ASCII)
MOST_SHARDS = 50


@dataclass(frozen=True)
class TensorInfo:
    """Number format, as in ``ITEM_BYTES``, and shape of a tensor."""

    dtype: str
    shape: tuple[int, ...]


def weight_names(folder: ModelFolder) -> list[str]:
    """List the names of a model's safetensors files in a fixed order, whether or not they are there.

    Raises:
        UserError: ``path_outside_model``, ``model_broken`` (an index that cannot be read), those of ``find``.
    """
    path = folder.find(INDEX)
    if path is None:
        return [WEIGHTS]
    where = folder.path / INDEX
    try:
        names = read_object(path, CONFIG_BYTES)["weight_map"].values()
        shards = sorted(set(names))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise broken(where, f"is no index of weights: {error}") from error
    if not 0 < len(shards) <= MOST_SHARDS:
        raise broken(where, f"names {len(shards):,} files")
    for name in shards:
        if not isinstance(name, str):
            raise broken(where, "names something that is no file")
        if not SHARD.fullmatch(name):
            raise UserError(
                "path_outside_model",
                f"{where} names {name[:200]!r}, which is no safetensors file of its folder.",
                "Download the model again.",
            )
    return shards


def find_weights(folder: ModelFolder) -> dict[str, Path]:
    """Return the real paths of a model's safetensors files by name.

    Raises:
        UserError: ``model_without_weights``, and as ``weight_names``.
    """
    names = weight_names(folder)
    found = {name: path for name in names if (path := folder.find(name)) is not None}
    if len(found) < len(names):
        missing = ", ".join(sorted(set(names) - set(found)))
        raise UserError("model_without_weights", f"{folder.path} lacks {missing}.", "Download the model again.")
    return found


@dataclass(frozen=True)
class Weights:
    """Safetensors files of a model by name, and their tensors; ``owners`` says which file a tensor is in."""

    files: dict[str, Path]
    tensors: dict[str, TensorInfo]
    owners: dict[str, str]

    def to_stage(self) -> dict[str, Path | dict[str, Any]]:
        """Return the files for ``staged``, of several with an index made from their headers."""
        index = {"metadata": {}, "weight_map": self.owners}
        return {**self.files} if list(self.files) == [WEIGHTS] else {**self.files, INDEX: index}


def read_weights(folder: ModelFolder) -> Weights:
    """Read the headers of a model's safetensors files.

    Raises:
        UserError: as ``find_weights``, and ``model_broken``: no tensors, one twice, too many bytes, or a header as of
            ``read_header``.
    """
    files = find_weights(folder)
    tensors: dict[str, TensorInfo] = {}
    owners: dict[str, str] = {}
    for name, path in files.items():
        header = read_header(path)
        twice = tensors.keys() & header.keys()
        if twice:
            raise broken(path, f"holds {min(twice)} a second time")
        tensors.update(header)
        owners.update(dict.fromkeys(header, name))
        if len(tensors) > MOST_TENSORS:
            raise broken(folder.path, f"has more than {MOST_TENSORS:,} weights with a name")
    if not tensors:
        raise broken(folder.path, "has no weights in its safetensors files")
    total = sum(path.stat().st_size for path in files.values())
    if total > MOST_WEIGHTS_BYTES:
        raise broken(folder.path, f"has {total:,} bytes of weights; at most {MOST_WEIGHTS_BYTES:,} are read")
    return Weights(files, tensors, owners)


def read_header(path: Path) -> dict[str, TensorInfo]:
    """Read and check the header of a safetensors file: the tensors fill the file, without gaps and overlaps.

    Raises:
        UserError: ``model_broken``, ``file_not_regular``.
    """
    return {name: info for name, (info, _) in read_places(path).items()}


def read_places(path: Path) -> dict[str, tuple[TensorInfo, int]]:
    """Read the tensors of a safetensors file with the number of their first byte in it. Raises as ``read_header``."""
    try:
        with open_regular(path) as stream:
            size = path.stat().st_size
            prefix = stream.read(8)
            length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else size
            if length > min(HEADER_BYTES, size - 8):
                raise ValueError(f"a header of {length:,} bytes in a file of {size:,}")
            header = _parse(stream.read(length))
        tensors = _check_layout(header, size - 8 - length)
    except (OSError, ValueError) as error:
        raise broken(path, f"is no whole safetensors file: {error}") from error
    return {name: (info, 8 + length + header[name]["data_offsets"][0]) for name, info in tensors.items()}


def clean_beginning(path: Path) -> bytes:
    """Return the beginning of a file without what its writer noted in the header; empty: nothing is noted.

    It has the length of the file's own, so the weights follow at the same place. Raises as ``read_header``.
    """
    read_header(path)
    with open_regular(path) as stream:
        prefix = stream.read(8)
        length = struct.unpack("<Q", prefix)[0]
        header = json.loads(stream.read(length))
    notes = header.get(NOTES, {})
    if not notes.keys() - {"format"}:
        return b""
    header[NOTES] = {name: "pt" for name in notes if name == "format"}
    return prefix + json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(length)


def _parse(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content.decode(), object_pairs_hook=_without_repetition)
    except RecursionError as error:
        raise ValueError("the header is nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("the header is no JSON object")
    if not isinstance(found.pop(NOTES, {}), dict):
        raise ValueError("its notes are no JSON object")
    return found


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice in the header")
    return found


def _check_layout(header: Mapping[str, Any], data_bytes: int) -> dict[str, TensorInfo]:
    tensors: dict[str, TensorInfo] = {}
    places: list[tuple[int, int, str]] = []
    for name, entry in header.items():
        shown = name[:100]
        dtype = entry.get("dtype") if isinstance(entry, dict) else None
        if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
            raise ValueError(f"{shown!r} has no known number format")
        shape, offsets = _naturals(entry.get("shape")), _naturals(entry.get("data_offsets"))
        if shape is None or len(shape) > MOST_DIMENSIONS:
            raise ValueError(f"{shown!r} has no possible shape")
        if offsets is None or len(offsets) != 2:
            raise ValueError(f"{shown!r} has no place in the file")
        start, stop = offsets
        if stop - start != math.prod(shape) * ITEM_BYTES[dtype]:
            raise ValueError(f"the shape of {shown!r} does not fit its place")
        tensors[name] = TensorInfo(dtype, shape)
        places.append((start, stop, shown))
    end = 0
    for start, stop, shown in sorted(places):
        if start != end:
            raise ValueError(f"{shown!r} does not begin where the tensor before it ends")
        end = stop
    if end != data_bytes:
        raise ValueError(f"the tensors have {end:,} bytes, the file {data_bytes:,}")
    return tensors


def _naturals(value: Any) -> tuple[int, ...] | None:
    is_list = isinstance(value, list) and all(type(each) is int and 0 <= each < 2**63 for each in value)
    return tuple(value) if is_list else None


def check_tensors(expected: Mapping[str, tuple[int, ...]], found: Mapping[str, TensorInfo], where: Path) -> None:
    """Check that every expected tensor is there, with its shape and in a number format of weights.

    Raises:
        UserError: ``model_broken``, naming the first that is missing or unlike.
    """
    missing = [name for name in expected if name not in found]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise broken(where, f"lacks the weights {missing[0]}{more}")
    for name, shape in expected.items():
        tensor = found[name]
        if tensor.shape != shape:
            raise broken(where, f"has {name} in shape {list(tensor.shape)}; the configuration says {list(shape)}")
        if tensor.dtype not in FLOATS:
            raise broken(where, f"has {name} as {tensor.dtype}; weights are floating-point numbers")
