"""The one way in which state reaches the disk: under a temporary name, flushed, renamed. stdlib only.

A reader never sees half a file, whenever the writer is killed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO


@contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """Open a text file for writing that takes its name only when all of it is on disk.

    On an exception the file that was there stays.
    """
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON document for programs and people."""
    with written_whole(path) as stream:
        json.dump(content, stream, ensure_ascii=False, indent=1)


def write_text(path: Path, text: str) -> None:
    """Write a text."""
    with written_whole(path) as stream:
        stream.write(text)
