"""Units of work that are finished: one JSON line each, appended, so that a killed job continues where it was.

One writer. A line that a kill left half-written is cut off when the journal is opened again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from jobs.files.folders import make_folder, open_in_place, remove
from jobs.files.reading import LONGEST_LINE_BYTES


class Journal:
    """A file of ``{"key": …, "value": …}`` lines; only the place of each line is in memory.

    Lines are handed to the system as they are added: they survive a kill. A power cut may cost those since the
    last ``sync``, which are then done again.

    Args:
        path: file to make or to continue.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._path = path
        self._stream = os.fdopen(open_in_place(path, os.O_RDWR | os.O_APPEND | os.O_CREAT), "a+b")
        self._places: dict[str, int] = {}
        self._end = self._read_places()
        self._stream.truncate(self._end)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: str) -> Any:
        """The value of a finished unit, or None."""
        if key not in self._places:
            return None
        self._stream.seek(self._places[key])
        return json.loads(self._stream.readline())["value"]

    def add(self, key: str, value: Any) -> None:
        """Note a unit as finished."""
        line = json.dumps({"key": key, "value": value}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._stream.write(line)  # opened for appending: the place of the last read does not matter
        self._stream.flush()
        self._places[key] = self._end
        self._end += len(line)

    def sync(self) -> None:
        """Put everything added on the disk itself."""
        os.fsync(self._stream.fileno())

    def remove(self) -> None:
        """Delete the file: its content has found its way into the result."""
        self._stream.close()
        remove(self._path)

    def _read_places(self) -> int:
        """Note where each whole line begins; return where the last one ends. What follows another line is dropped."""
        self._stream.seek(0)
        end = 0
        while (line := self._stream.readline(LONGEST_LINE_BYTES)).endswith(b"\n"):
            try:
                entry = json.loads(line)
                key, _ = entry["key"], entry["value"]
            except (ValueError, KeyError, TypeError, RecursionError):
                break
            self._places[str(key)] = end
            end += len(line)
        return end
