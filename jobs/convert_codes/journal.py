"""Codes that are already made, kept across attempts: a line a clip, keyed by what the clip's file holds.

One writer. A line that a kill left half-written is cut off when the journal is opened again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray


class CodesJournal:
    """Codes by clip key on disk; only the place of each line is in memory.

    Args:
        path: file to make or to continue.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = path.open("a+b")
        self._places: dict[str, int] = {}
        self._end = self._read_places()
        self._stream.truncate(self._end)

    def __enter__(self) -> CodesJournal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def add(self, key: str, codes: NDArray[np.int64]) -> None:
        """Append a clip's codes, (frames, 16). On disk for certain only after ``sync``."""
        line = json.dumps({"clip": key, "codes": codes.tolist()}, separators=(",", ":")).encode() + b"\n"
        self._stream.write(line)
        self._places[key] = self._end
        self._end += len(line)

    def sync(self) -> None:
        """Put everything added on disk."""
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def codes(self, key: str) -> list[list[int]]:
        """Read a clip's codes back: frames of 16."""
        self._stream.flush()
        self._stream.seek(self._places[key])
        codes: list[list[int]] = json.loads(self._stream.readline())["codes"]
        return codes

    def _read_places(self) -> int:
        """Note where each whole line begins; return where the last one ends."""
        self._stream.seek(0)
        end = 0
        while (line := self._stream.readline()).endswith(b"\n"):
            try:
                key = json.loads(line)["clip"]
            except ValueError:
                break
            self._places[key] = end
            end += len(line)
        return end
