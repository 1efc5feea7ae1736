"""Check of a recording's tags before a library reads them.

libavformat inflates compressed ID3v2 frames, each on its own to any length, and keeps tags in a list that it searches
for every new one: 50,000 tags take 20 seconds. Here tags are counted, and what compressed ones would take is added up.

Sources: ID3v2.3.0 and 2.4.0 (id3.org), RFC 9639 (FLAC), the Vorbis I comment header, RFC 9559 (Matroska). libavformat
reads ID3v2 before any other format, and in ADTS, AIFF and ASF also between the data.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from jobs.errors import UserError

MOST_TAGS = 4_000  # 0.2 s of libavformat; a book with a tag of each chapter has some hundreds
MOST_INFLATED_BYTES = 32 << 20  # covers are not compressed
MOST_BLOCKS = 1_000  # of a FLAC file before its sound
LONGEST_VENDOR = 4_096
MOST_ELEMENTS = 500_000  # of a Matroska file at its first two levels; a cluster of sound lasts seconds
_SEGMENT, _TAGS, _SIMPLE_TAG = 0x18538067, 0x1254C367, b"\x67\xc8"
_HAVE_NO_ID3_INSIDE = (b"fLaC", b"OggS", b"\x1a\x45\xdf\xa3")


def check_tags(path: Path, stream: BinaryIO, size: int, *, is_mp4: bool) -> None:
    """Count the tags of a file; those of an MP4 are boxes, see ``mp4_check``.

    Raises ``UserError``: ``audio_unreadable``.
    """
    with mmap.mmap(stream.fileno(), size, access=mmap.ACCESS_READ) as content:
        n_tags, n_inflated, start = _count_leading_id3(content)
        magic = content[start : start + 4]
        is_mp3 = magic[:1] == b"\xff" and len(magic) > 1 and magic[1] & 0xE0 == 0xE0 and magic[1] & 0x06 != 0
        if not is_mp4 and not is_mp3 and not magic.startswith(_HAVE_NO_ID3_INSIDE):
            more = [_count_id3(content, found) for found in _find_all(content, b"ID3", start)]
            n_tags += sum(one[0] for one in more)
            n_inflated += sum(one[1] for one in more)
        if magic == b"fLaC":
            n_tags += _count_flac(content, start + 4)
        elif magic == b"OggS":
            n_tags += sum(_count_comments(content, found) for found in _find_comments(content, start))
        elif magic == b"\x1a\x45\xdf\xa3":
            n_tags += _count_matroska(content, start)
    if n_tags > MOST_TAGS:
        raise _refused(path, f"more than {MOST_TAGS:,} tags")
    if n_inflated > MOST_INFLATED_BYTES:
        raise _refused(path, f"compressed tags of {n_inflated / 1e6:,.0f} MB")


def _refused(path: Path, why: str) -> UserError:
    return UserError(
        "audio_unreadable", f"{path} has {why}; no recording needs them.", "Remove its tags, or convert it to FLAC."
    )


def _count_leading_id3(content: mmap.mmap) -> tuple[int, int, int]:
    """Number of frames, bytes after inflation, and the end of all ID3v2 tags at the start."""
    n_tags = n_inflated = start = 0
    while (end := _id3_end(content, start)) is not None and n_tags <= MOST_TAGS:
        more, inflated = _count_id3(content, start)
        n_tags, n_inflated, start = n_tags + more + 1, n_inflated + inflated, end
    return n_tags, n_inflated, start


def _id3_end(content: mmap.mmap, start: int) -> int | None:
    header = content[start : start + 10]
    if len(header) < 10 or not header.startswith(b"ID3") or max(header[3:5]) == 0xFF or max(header[6:10]) > 0x7F:
        return None
    return start + 10 + _syncsafe(header[6:10]) + (10 if header[5] & 0x10 else 0)


def _count_id3(content: mmap.mmap, start: int) -> tuple[int, int]:
    """Number of frames of an ID3v2 tag, and the bytes that its compressed ones would take."""
    end = _id3_end(content, start)
    if end is None:
        return 0, 0
    version, flags = content[start + 3], content[start + 5]
    body = content[start + 10 : end]
    bodies = [body, body.replace(b"\xff\x00", b"\xff")] if flags & 0x80 else [body]
    counted = [_count_frames(one, version) for one in bodies]
    return max(one[0] for one in counted), max(one[1] for one in counted)


def _count_frames(body: bytes, version: int) -> tuple[int, int]:
    n_frames = n_inflated = at = 0
    width = 6 if version < 3 else 10
    while at + width <= len(body) and body[at] and n_frames <= MOST_TAGS:
        if version < 3:
            length = int.from_bytes(body[at + 3 : at + 6], "big")
        else:
            length = _syncsafe(body[at + 4 : at + 8]) if version == 4 else int.from_bytes(body[at + 4 : at + 8], "big")
            if body[at + 9] & (0x08 if version == 4 else 0x80):
                n_inflated += int.from_bytes(body[at + 10 : at + 14], "big")  # as libavformat reads it, in 2.4 too
        n_frames += 1
        at += width + length
    return n_frames, n_inflated


def _syncsafe(four: bytes) -> int:
    value = 0
    for byte in four:
        value = value << 7 | byte & 0x7F
    return value


def _find_all(content: mmap.mmap, wanted: bytes, start: int) -> Iterator[int]:
    at = content.find(wanted, start)
    while at >= 0:
        yield at
        at = content.find(wanted, at + len(wanted))


def _count_flac(content: mmap.mmap, at: int) -> int:
    """Number of comments and blocks before the sound."""
    n_tags = 0
    for _ in range(MOST_BLOCKS):
        header = content[at : at + 4]
        if len(header) < 4:
            return n_tags
        if header[0] & 0x7F == 4:
            n_tags += _count_comments(content, at + 4)
        n_tags += 1
        at += 4 + int.from_bytes(header[1:], "big")
        if header[0] & 0x80:
            return n_tags
    return MOST_TAGS + 1


def _find_comments(content: mmap.mmap, start: int) -> Iterator[int]:
    """Positions of the comment headers of an Ogg file's streams."""
    for name in (b"OpusTags", b"\x03vorbis"):
        for at in _find_all(content, name, start):
            yield at + len(name)
    if content.find(b"\x7fFLAC", start, start + 256) >= 0:  # its comments begin the second page
        page = content.find(b"OggS", start + 4)
        table = content[page + 26 : page + 27] if page >= 0 else b""
        if table:
            yield page + 27 + table[0] + 4


def _count_comments(content: mmap.mmap, at: int) -> int:
    """Number that a Vorbis comment names; what is no such header counts as none."""
    vendor = content[at : at + 4]
    if len(vendor) < 4:
        return 0
    length = struct.unpack("<I", vendor)[0]
    number = content[at + 4 + length : at + 8 + length]
    if len(number) < 4:
        return 0
    return MOST_TAGS + 1 if length > LONGEST_VENDOR else int(struct.unpack("<I", number)[0])


def _count_matroska(content: mmap.mmap, at: int) -> int:
    """Number of tags in the segments of a Matroska file."""
    n_tags = 0
    for _ in range(MOST_ELEMENTS):
        element = _read_element(content, at)
        if element is None:
            return n_tags
        name, inner, end = element
        if name == _TAGS:
            n_tags += content[inner:end].count(_SIMPLE_TAG)
        at = inner if name == _SEGMENT else end
    return MOST_TAGS + 1


def _read_element(content: mmap.mmap, at: int) -> tuple[int, int, int] | None:
    """Name, start and end of the element at a position; None at the end of the file, and for no element."""
    first = content[at : at + 1]
    if not first or not first[0] & 0xF0:
        return None
    width = 9 - first[0].bit_length()
    name = int.from_bytes(content[at : at + width], "big")
    size = content[at + width : at + width + 1]
    if not size or not size[0]:
        return None
    n_size = 9 - size[0].bit_length()
    coded = int.from_bytes(content[at + width : at + width + n_size], "big") & ((1 << 7 * n_size) - 1)
    inner = at + width + n_size
    unknown = coded == (1 << 7 * n_size) - 1
    return name, inner, len(content) if unknown else inner + coded
