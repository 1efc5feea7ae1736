"""Check of an MP4's tables before a library reads them: they must not name more than the file can hold.

libavformat allocates 24 bytes for each packet that a table names, so a file of 500 bytes may ask for gigabytes.

Source: ISO/IEC 14496-12; the boxes that libavformat descends into are those of its ``mov.c``.
"""

import struct
from pathlib import Path
from typing import BinaryIO

from jobs.audio.tag_check import MOST_TAGS
from jobs.errors import UserError

_PARENTS = frozenset(
    [
        *(b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"udta", b"meta", b"ilst", b"tref", b"wave"),
        *(b"moof", b"traf", b"mvex", b"gmhd", b"sinf", b"schi", b"iprp", b"ipco", b"strk"),
    ]
)
MAX_BOXES = 20_000  # covers, tags and the tables of two tracks are 200; a tag of each chapter, some thousands
MAX_DEPTH = 32
MAX_PACKETS = 60_000_000  # 400 hours of AAC at 44.1 kHz
ONE = b"\0\0\0\1"
PCM_PACKET = 1024  # frames that libavformat reads at once where each has one unit and one size


def check_tables(path: Path, stream: BinaryIO, size: int) -> bool:
    """Return whether the file is an MP4. Raises ``UserError``: ``audio_unreadable``, for tables that it cannot hold."""
    check = _Check(path, stream, size)
    check.walk(0, size, 0)
    if check.n_packets > min(size, MAX_PACKETS) or check.n_bytes > size:
        raise _broken(path, f"names {check.n_packets:,} packets, more than its {size:,} bytes can hold")
    return check.is_mp4


class _Check:
    """Walk through the boxes of a file, and sums of what its tables name."""

    def __init__(self, path: Path, stream: BinaryIO, size: int) -> None:
        self._path, self._stream, self._size = path, stream, size
        self._n_boxes = self._n_tags = 0
        self.n_packets = self.n_bytes = 0
        self._n_uniform, self._is_pcm = 0, True
        self.is_mp4 = False

    def walk(self, start: int, end: int, depth: int) -> None:
        """Look at the boxes of a range; a box that is too long ends with its parent, as libavformat reads it."""
        while start + 8 <= end:
            self._n_boxes += 1
            if self._n_boxes > MAX_BOXES or depth > MAX_DEPTH:
                raise _broken(self._path, "has more boxes than any recording")
            length, kind = struct.unpack(">I4s", self._read(start, 8))
            content = start + 8
            if length == 1:
                length, content = struct.unpack(">Q", self._read(start + 8, 8).ljust(8, b"\0"))[0], start + 16
            box_end = end if length == 0 else min(start + length, end)
            if box_end < content:
                return
            self._look_at(kind, content, box_end, depth)
            start = box_end

    def _look_at(self, kind: bytes, content: int, end: int, depth: int) -> None:
        self.is_mp4 |= kind in (b"moov", b"moof", b"ftyp")
        if kind == b"----" or kind[:1] == b"\xa9":
            self._n_tags += 1
            if self._n_tags > MOST_TAGS:
                raise _broken(self._path, f"has more than {MOST_TAGS:,} tags")
        if kind in _PARENTS:
            # "meta" begins with four bytes of version in MP4, and with a box in QuickTime
            inner = 4 if kind == b"meta" and self._read(content + 4, 4) != b"hdlr" else 0
            if kind == b"stbl":
                self._walk_table(content, end, depth + 1)
            else:
                self.walk(content + inner, end, depth + 1)
        elif kind == b"stts":
            self._is_pcm &= self._read(content + 4, 4) == self._read(content + 12, 4) == ONE
        elif kind in (b"stsz", b"stz2"):
            uniform, n_packets = struct.unpack(">II", self._read(content + 4, 8).ljust(8, b"\0"))
            self.n_packets += n_packets
            if kind == b"stsz" and uniform:  # no table of sizes follows
                self.n_bytes += n_packets * uniform
                self._n_uniform += n_packets
        elif kind == b"trun":
            self.n_packets += struct.unpack(">I", self._read(content + 4, 4).ljust(4, b"\0"))[0]
        elif kind == b"cmov":
            raise _broken(self._path, "has a compressed index, which is not read")

    def _walk_table(self, content: int, end: int, depth: int) -> None:
        """Walk through the tables of a track; frames of PCM are no packets of their own."""
        self._n_uniform, self._is_pcm = 0, True
        self.walk(content, end, depth)
        if self._is_pcm:
            self.n_packets -= self._n_uniform - -(-self._n_uniform // PCM_PACKET)

    def _read(self, at: int, n_bytes: int) -> bytes:
        self._stream.seek(at)
        return self._stream.read(n_bytes)


def _broken(path: Path, why: str) -> UserError:
    return UserError(
        "audio_unreadable",
        f"{path} {why}: it is broken or was cut off.",
        "Copy the file again, or convert it to FLAC.",
    )
