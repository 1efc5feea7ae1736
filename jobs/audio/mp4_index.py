"""A range of packets of an MP4 recording as a small file-like object; the audio stays in the recording.

libavformat keeps 24 bytes of each packet of a file in memory, 150 MB for 40 hours, and reads all of them at every
opening. This module reads only the table entries of the wanted packets and appends a short index of them to the
recording, without copying audio; the decoder sees an ordinary file. ``docs/decisions/0001-mp4-index.md`` has figures.

Source: ISO/IEC 14496-12 (boxes), 14496-14 (edit lists).
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from jobs.audio.copy_protection import ENCRYPTED_ENTRIES
from jobs.audio.overlaid_file import OverlaidFile
from jobs.files.reading import open_regular

# All packets decode to the same number of samples, even where the table of a joined file says otherwise.
EVEN = frozenset({"mp4a", "alac"})
_MAX_SMALL = 64 << 20  # boxes that are read whole: descriptions, covers, tags


@dataclass(frozen=True)
class Box:
    """A box of the file. Its bytes are ``start:end``, its content begins at ``content``."""

    kind: bytes
    start: int
    content: int
    end: int


@dataclass(frozen=True)
class Mp4Audio:
    """The first audio track of an MP4 file.

    Attributes:
        entry: four letters that name the kind of its packets; one of ``ENCRYPTED_ENTRIES`` when they are encrypted.
        timescale: units of ``packet_units`` in a second.
        packet_units: length of every packet but the last; in joined files, of nearly every packet.
        n_packets: packets whose bytes are all in the file.
        n_promised: packets that the tables name.
    """

    path: Path
    entry: str
    timescale: int
    packet_units: int
    n_packets: int
    n_promised: int
    boxes: tuple[Box, ...]
    """From ``moov`` down to the sample table of the track."""


def read_mp4(path: Path) -> Mp4Audio | None:
    """Find the audio track; None when the file is no MP4, has no such track, is fragmented or of uneven packets."""
    try:
        with open_regular(path) as stream:
            return _read(path, stream)
    except (
        struct.error,
        ValueError,
        LookupError,
        ArithmeticError,
        EOFError,
    ):  # broken tables: libavformat reports the error
        return None


def part(audio: Mp4Audio, first: int, last: int, *, whole: bool = False) -> BinaryIO:
    """Return a file-like MP4 of the packets ``first:last``.

    Args:
        audio: the track.
        first: its first packet that is kept.
        last: the packet after the last.
        whole: keep the rest too: tags, cover, chapters, the track's edit list.
    """
    with open_regular(audio.path) as stream:
        stream.seek(0, io.SEEK_END)
        size = stream.tell()
        table = _sample_table(stream, audio, first, last)
        moov = _rebuilt(stream, audio.boxes[0], audio.boxes[1:], table, whole=whole)
        brand = next(_children(stream, 0, size))
    behind = size - brand.end
    header = struct.pack(">I4s", behind, b"free") if behind < 1 << 32 else struct.pack(">I4sQ", 1, b"free", behind)
    return OverlaidFile(audio.path, size, brand.end, header, moov)


def _read(path: Path, stream: BinaryIO) -> Mp4Audio | None:
    stream.seek(0, io.SEEK_END)
    size = stream.tell()
    top = list(_children(stream, 0, size))
    moov = next((box for box in top if box.kind == b"moov"), None)
    if not top or top[0].kind != b"ftyp" or moov is None or any(box.kind == b"moof" for box in top):
        return None
    tracks = [trak for trak in _named(stream, moov, b"trak") if _is_sound(stream, trak)]
    for trak in sorted(tracks, key=lambda trak: not _is_enabled(stream, trak)):  # libavformat's default
        mdia = next(_named(stream, trak, b"mdia"))
        minf = next(_named(stream, mdia, b"minf"))
        stbl = next(_named(stream, minf, b"stbl"))
        entry = _bytes(stream, next(_named(stream, stbl, b"stsd")))[12:16].decode("latin-1")
        lengths = _pairs(_bytes(stream, next(_named(stream, stbl, b"stts"))))
        mdhd = _bytes(stream, next(_named(stream, mdia, b"mdhd")))
        timescale = struct.unpack_from(">I", mdhd, 20 if mdhd[0] == 1 else 12)[0]
        n_promised = int(lengths[:, 0].sum())
        is_even = len(lengths) == 1 or (len(lengths) == 2 and lengths[1][0] == 1)
        if not n_promised or not timescale or n_promised > _n_sizes(stream, stbl):
            return None
        if not is_even and entry not in {*ENCRYPTED_ENTRIES, *EVEN}:
            return None
        units = _most_common(lengths)
        audio = Mp4Audio(path, entry, timescale, units, n_promised, n_promised, (moov, trak, mdia, minf, stbl))
        n_packets = n_promised if entry in ENCRYPTED_ENTRIES else _n_within(stream, audio, size)
        return Mp4Audio(path, entry, timescale, audio.packet_units, n_packets, n_promised, audio.boxes)
    return None


def _is_sound(stream: BinaryIO, trak: Box) -> bool:
    mdia = next(_named(stream, trak, b"mdia"), None)
    handler = None if mdia is None else next(_named(stream, mdia, b"hdlr"), None)
    return handler is not None and _bytes(stream, handler)[8:12] == b"soun"


def _is_enabled(stream: BinaryIO, trak: Box) -> bool:
    header = next(_named(stream, trak, b"tkhd"), None)
    return header is None or bool(_bytes(stream, header)[3] & 1)


def _n_sizes(stream: BinaryIO, stbl: Box) -> int:
    """Count the packets that have a size."""
    stream.seek(next(_named(stream, stbl, b"stsz")).content)
    return int(struct.unpack(">III", _exactly(stream, 12))[2])


def _most_common(lengths: npt.NDArray[np.int64]) -> int:
    """Return the length that most packets have, from (packets, length) rows."""
    found, place = np.unique(lengths[:, 1], return_inverse=True)
    return int(found[np.bincount(place, weights=lengths[:, 0]).argmax()])


def _n_within(stream: BinaryIO, audio: Mp4Audio, size: int) -> int:
    """Count the packets whose bytes are in the file, which may be cut off."""
    low, high = 0, audio.n_promised
    while low < high:
        middle = (low + high + 1) // 2
        offsets, sizes = _places(stream, audio, middle - 1, middle)
        low, high = (middle, high) if int(offsets[0]) + int(sizes[0]) <= size else (low, middle - 1)
    return low


def _places(
    stream: BinaryIO, audio: Mp4Audio, first: int, last: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Read offset in the file and size of each packet ``first:last``."""
    boxes = {box.kind: box for box in _children(stream, audio.boxes[-1].content, audio.boxes[-1].end)}
    runs = np.frombuffer(_bytes(stream, boxes[b"stsc"])[8:], ">u4").reshape(-1, 3).astype(np.int64)
    wide = b"co64" in boxes
    chunks = boxes[b"co64" if wide else b"stco"]
    n_chunks = (chunks.end - chunks.content - 8) // (8 if wide else 4)
    in_run = np.diff(np.append(runs[:, 0] - 1, n_chunks))  # chunks of each run
    before = np.concatenate([[0], np.cumsum(in_run * runs[:, 1])])  # packets before each run

    def chunk_of(packet: int) -> tuple[int, int]:
        """Return the chunk that holds a packet, and the chunk's first packet."""
        run = int(np.searchsorted(before, packet, side="right")) - 1
        nth = (packet - int(before[run])) // int(runs[run, 1])
        return int(runs[run, 0]) - 1 + nth, int(before[run]) + nth * int(runs[run, 1])

    first_chunk, first_in_chunk = chunk_of(first)
    last_chunk, _ = chunk_of(last - 1)
    width, kind = (8, ">u8") if wide else (4, ">u4")
    stream.seek(chunks.content + 8 + first_chunk * width)
    chunk_offsets = np.frombuffer(_exactly(stream, (last_chunk + 1 - first_chunk) * width), kind).astype(np.int64)
    stsz = boxes[b"stsz"]
    stream.seek(stsz.content)
    uniform = struct.unpack(">III", _exactly(stream, 12))[1]
    passed = 0  # packets of the first chunk that are not looked at
    if uniform:
        passed = first - first_in_chunk
        first_in_chunk = first
        chunk_offsets[0] += passed * uniform
        sizes = np.full(last - first, uniform, np.int64)
    else:
        stream.seek(stsz.content + 12 + first_in_chunk * 4)
        sizes = np.frombuffer(_exactly(stream, (last - first_in_chunk) * 4), ">u4").astype(np.int64)
    offsets = np.empty(len(sizes), np.int64)
    place = 0
    for chunk, start in enumerate(chunk_offsets.tolist(), first_chunk):
        run = int(np.searchsorted(runs[:, 0] - 1, chunk, side="right")) - 1
        n_here = min(int(runs[run, 1]) - passed, len(sizes) - place)
        passed = 0
        ends = np.cumsum(sizes[place : place + n_here])
        offsets[place : place + n_here] = start + ends - sizes[place : place + n_here]
        place += n_here
    skipped = first - first_in_chunk
    return offsets[skipped:], sizes[skipped:]


def _sample_table(stream: BinaryIO, audio: Mp4Audio, first: int, last: int) -> bytes:
    offsets, sizes = _places(stream, audio, first, last)
    n_packets = len(sizes)
    description = next(_named(stream, audio.boxes[-1], b"stsd"))
    stream.seek(description.start)
    return _box(
        b"stbl",
        _exactly(stream, description.end - description.start)
        + _box(b"stts", struct.pack(">IIII", 0, 1, n_packets, audio.packet_units))
        + _box(b"stsc", struct.pack(">IIIII", 0, 1, 1, 1, 1))
        + _box(b"stsz", struct.pack(">III", 0, 0, n_packets) + sizes.astype(">u4").tobytes())
        + _box(b"co64", struct.pack(">II", 0, n_packets) + offsets.astype(">u8").tobytes()),
    )


def _rebuilt(stream: BinaryIO, box: Box, path: Sequence[Box], table: bytes, *, whole: bool) -> bytes:
    """Copy a box with another sample table at the end of ``path``."""
    if not path:
        return table
    content = []
    for child in _children(stream, box.content, box.end):
        if child.start == path[0].start:
            content.append(_rebuilt(stream, child, path[1:], table, whole=whole))
        elif child.end - child.start <= _MAX_SMALL and (whole or child.kind not in (b"trak", b"udta", b"edts")):
            stream.seek(child.start)
            content.append(_exactly(stream, child.end - child.start))
    return _box(box.kind, b"".join(content))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _children(stream: BinaryIO, start: int, end: int) -> Iterator[Box]:
    while start + 8 <= end:
        stream.seek(start)
        size, kind = struct.unpack(">I4s", _exactly(stream, 8))
        content = start + 8
        if size == 1:
            size, content = struct.unpack(">Q", _exactly(stream, 8))[0], start + 16
        box_end = end if size == 0 else min(start + size, end)  # the last box of a file that was cut off
        if box_end < content:
            raise ValueError(f"a box of {size} bytes")
        yield Box(kind, start, content, box_end)
        start = box_end


def _named(stream: BinaryIO, parent: Box, kind: bytes) -> Iterator[Box]:
    found = [box for box in _children(stream, parent.content, parent.end) if box.kind == kind]
    if not found:
        raise ValueError(f"no {kind!r}")
    return iter(found)


def _bytes(stream: BinaryIO, box: Box) -> bytes:
    if box.end - box.content > _MAX_SMALL:
        raise ValueError(f"{box.kind!r} of {box.end - box.content} bytes")
    stream.seek(box.content)
    return _exactly(stream, box.end - box.content)


def _exactly(stream: BinaryIO, n_bytes: int) -> bytes:
    if n_bytes > _MAX_SMALL:
        raise ValueError(f"{n_bytes} bytes")  # more would be allocated before it turns out that the file ends
    found = stream.read(n_bytes)
    if len(found) < n_bytes:
        raise EOFError
    return found


def _pairs(content: bytes) -> npt.NDArray[np.int64]:
    return np.frombuffer(content[8:], ">u4").reshape(-1, 2).astype(np.int64)
