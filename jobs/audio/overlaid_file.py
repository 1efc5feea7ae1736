"""A file with some bytes replaced and others appended, without a copy of it."""

import io
from pathlib import Path
from typing import BinaryIO


class OverlaidFile(io.RawIOBase, BinaryIO):
    """A file with some bytes replaced and others appended."""

    def __init__(self, path: Path, size: int, at: int, instead: bytes, behind: bytes) -> None:
        super().__init__()
        self._file = path.open("rb")  # a regular file: ``part`` has opened it before
        self._size, self._at, self._instead, self._behind = size, at, instead, behind
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Position of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position of the next byte."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}.get(whence, self._size + len(self._behind))
        self._position = max(0, start + offset)
        return self._position

    def read(self, n_bytes: int = -1) -> bytes:
        """Read bytes of the file, of the replacement, or of the appended part."""
        position = self._position
        if n_bytes < 0:
            n_bytes = self._size + len(self._behind) - position
        if position >= self._size:
            found = self._behind[position - self._size : position - self._size + n_bytes]
        else:
            self._file.seek(position)
            found = self._file.read(min(n_bytes, self._size - position))
            first, last = max(position, self._at), min(position + len(found), self._at + len(self._instead))
            if first < last:
                patched = bytearray(found)
                patched[first - position : last - position] = self._instead[first - self._at : last - self._at]
                found = bytes(patched)
        self._position += len(found)
        return found

    def close(self) -> None:
        """Close the file below."""
        self._file.close()
        super().close()
