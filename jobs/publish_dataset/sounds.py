"""Sound of a WAV without anything else that is in the file: notes of other programs are not published."""

import struct
from collections.abc import Iterator
from pathlib import Path

from jobs.errors import UserError
from jobs.files.reading import open_regular

LARGEST_BYTES = 200_000_000  # 15 minutes of 96 kHz stereo; a clip has seconds
HEADER = struct.Struct("<4sI4s")
CHUNK = struct.Struct("<4sI")
KEPT = (b"fmt ", b"data")


def read_sound(path: Path) -> bytes:
    """Read a WAV and return it with its format and samples only.

    Raises:
        UserError: ``audio_missing``, ``audio_unreadable``, ``file_not_regular``, ``file_too_large``.
    """
    if not path.exists():
        raise UserError("audio_missing", f"There is no file {path}.", "Make the dataset again, or take out the line.")
    with open_regular(path, limit_bytes=LARGEST_BYTES) as stream:
        content = stream.read()
    if len(content) < HEADER.size or HEADER.unpack_from(content)[::2] != (b"RIFF", b"WAVE"):
        raise _unreadable(path)
    chunks = dict(_chunks(content))
    if set(chunks) != set(KEPT):
        raise _unreadable(path)
    kept = b"".join(
        CHUNK.pack(name, len(chunks[name])) + chunks[name] + b"\0" * (len(chunks[name]) % 2) for name in KEPT
    )
    return HEADER.pack(b"RIFF", len(kept) + 4, b"WAVE") + kept


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Iterate over the chunks that are kept, the first of each name; one that is cut short ends with the file."""
    at, seen = HEADER.size, set()
    while at + CHUNK.size <= len(content):
        name, size = CHUNK.unpack_from(content, at)
        at += CHUNK.size
        if name in KEPT and name not in seen:
            seen.add(name)
            yield name, content[at : at + size]
        at += size + size % 2


def _unreadable(path: Path) -> UserError:
    return UserError("audio_unreadable", f"{path} is no WAV, and is not published.", "Give a dataset of WAV clips.")
