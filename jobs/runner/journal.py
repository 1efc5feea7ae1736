"""Units of work that are finished: one JSON line each, appended, so that a killed job continues where it was.

One writer. A line that a kill left half-written is cut off when the journal is opened again.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any


class Journal:
    """A file of ``{"key": …, "value": …}`` lines, all of it in memory.

    Lines are handed to the system as they are added: they survive a kill. A power cut may cost the last few,
    which are then done again.

    Args:
        path: file to make or to continue; its folder must be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream = path.open("a+b")
        self._values: dict[str, dict[str, Any]] = {}
        self._stream.truncate(self._read())

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> dict[str, Any] | None:
        """The value of a finished unit, or None."""
        return self._values.get(key)

    def add(self, key: str, value: dict[str, Any]) -> None:
        """Note a unit as finished."""
        self._stream.write(json.dumps({"key": key, "value": value}, ensure_ascii=False).encode() + b"\n")
        self._stream.flush()
        self._values[key] = value

    def remove(self) -> None:
        """Delete the file: its content has found its way into the result."""
        self._stream.close()
        self._path.unlink(missing_ok=True)

    def _read(self) -> int:
        """Load the whole lines; return where the last one ends."""
        self._stream.seek(0)
        end = 0
        while (line := self._stream.readline()).endswith(b"\n"):
            try:
                entry = json.loads(line)
                self._values[entry["key"]] = entry["value"]
            except (ValueError, KeyError, TypeError):
                break
            end += len(line)
        return end
