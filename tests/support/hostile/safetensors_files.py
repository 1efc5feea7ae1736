"""Safetensors files written byte by byte, whole and hostile."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ITEM_BYTES = {"F32": 4, "BF16": 2, "I8": 1}


def write_weights(path: Path, tensors: Mapping[str, tuple[str, list[int]]]) -> Path:
    """Write a whole file with tensors of zeros."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape) in tensors.items():
        start, end = end, end + math.prod(shape) * ITEM_BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    return write_parts(path, json.dumps(header).encode(), bytes(end))


def write_parts(path: Path, header: bytes, data: bytes = b"", *, length: int | None = None) -> Path:
    """Write length, header and data as they are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return path


def hostile_headers() -> dict[str, tuple[bytes, bytes, int | None]]:
    """Header, data and claimed length of files that must be refused, by what is wrong with them."""

    def header(**entries: Any) -> bytes:
        return json.dumps(entries).encode()

    def tensor(start: int, end: int, shape: Any, dtype: Any = "F32") -> dict[str, Any]:
        return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}

    return {
        "a header of 8 EB": (b"{}", b"", 2**63),
        "a header longer than the file": (b"{}", b"", 1000),
        "no length": (b"", b"", None),
        "no JSON": (b"{'a': 1}", b"", None),
        "no object": (b"[1]", b"", None),
        "no UTF-8": (b'{"\xff": 1}', b"", None),
        "deep nesting": (b'{"a":' + b"[" * 100_000, b"", None),
        "overlapping tensors": (header(a=tensor(0, 8, [2]), b=tensor(4, 12, [2])), bytes(12), None),
        "a gap": (header(a=tensor(0, 4, [1]), b=tensor(8, 12, [1])), bytes(12), None),
        "data that nothing names": (header(a=tensor(0, 4, [1])), bytes(8), None),
        "data that is not there": (header(a=tensor(0, 4000, [1000])), bytes(4), None),
        "a shape larger than its place": (header(a=tensor(0, 4, [2**40, 2**40])), bytes(4), None),
        "a negative shape": (header(a=tensor(0, 4, [-1, -1])), bytes(4), None),
        "a shape of numbers that overflow": (header(a=tensor(0, 4, [2**70])), bytes(4), None),
        "a shape that is true": (header(a=tensor(0, 4, [True])), bytes(4), None),
        "offsets that go backwards": (header(a=tensor(4, 0, [1])), bytes(4), None),
        "an unknown number format": (header(a=tensor(0, 4, [1], "F12")), bytes(4), None),
        "a number format that is a list": (header(a=tensor(0, 4, [1], ["F32"])), bytes(4), None),
        "an entry that is a number": (header(a=1), bytes(4), None),
        "a name twice": (b'{"a": 1, "a": {"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4), None),
    }
