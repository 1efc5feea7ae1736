"""Recordings whose tags take a library long, or much memory."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

Builder = Callable[[Path], Path]
ADTS = bytes([0xFF, 0xF1, 0x50, 0x80, 0x01, 0x1F, 0xFC, 0x00])
MP3 = b"\xff\xfb\x90\x64" + bytes(413)
FLAC_INFO = bytes.fromhex("1000 1000 000000 000000 0ac440f0 00000000".replace(" ", "")) + bytes(16)


def synchsafe(size: int) -> bytes:
    """Write a size of 28 bits."""
    return bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))


def id3(*frames: bytes, version: int = 4) -> bytes:
    """Return an ID3v2 tag."""
    body = b"".join(frames)
    return b"ID3" + bytes([version, 0, 0]) + synchsafe(len(body)) + body


def compressed(name: bytes, n_bytes: int) -> bytes:
    """Return an ID3v2.4 frame that inflates to a length."""
    content = struct.pack(">I", n_bytes) + zlib.compress(b"\x03a\0" + b"a" * min(n_bytes, 1 << 20), 9)
    return name + synchsafe(len(content)) + b"\x00\x09" + content


def text(number: int) -> bytes:
    """Return an ID3v2.4 frame of a tag of its own."""
    content = b"\x03k%d\0x" % number
    return b"TXXX" + synchsafe(len(content)) + b"\0\0" + content


def comments(n_tags: int) -> bytes:
    """Return a Vorbis comment header."""
    tags = [b"k%d=x" % number for number in range(n_tags)]
    return struct.pack("<II", 0, n_tags) + b"".join(struct.pack("<I", len(tag)) + tag for tag in tags)


def flac(n_tags: int) -> bytes:
    """Return the beginning of a FLAC file."""
    block = comments(n_tags)
    return b"fLaC\x00\0\0\x22" + FLAC_INFO + b"\x84" + len(block).to_bytes(3, "big") + block


def opus(n_tags: int) -> bytes:
    """Return two pages of an Opus file; the second does not hold all its comments."""
    head = b"OpusHead\x01\x01" + struct.pack("<HIhB", 0, 48_000, 0, 0)
    page = b"OggS\0\x02" + bytes(20) + bytes([1, len(head)]) + head
    body = b"OpusTags" + comments(n_tags)
    return page + b"OggS\0\0" + bytes(20) + bytes([1, 255]) + body


def matroska(n_tags: int) -> bytes:
    """Return the beginning of a Matroska file."""
    tags = b"".join(b"\x67\xc8\x85\x45\xa3\x82" + struct.pack(">H", number) for number in range(n_tags))
    header = b"\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska"
    segment = b"\x18\x53\x80\x67\x01" + b"\xff" * 7
    return header + segment + b"\x12\x54\xc3\x67" + struct.pack(">I", len(tags) | 1 << 28) + tags


def of_bytes(name: str, make: Callable[[], bytes]) -> Builder:
    """Return the builder of a file."""

    def build(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(make())
        return path

    return build


BUILDERS: dict[str, Builder] = {
    "MP3 with compressed tags of 800 MB": of_bytes(
        "a.mp3", lambda: id3(*[compressed(b"TXXX", 100 << 20) for _ in range(8)]) + MP3 * 50
    ),
    "AAC with a compressed cover of 200 MB, after another tag": of_bytes(
        "a.aac", lambda: id3(text(0)) + id3(compressed(b"APIC", 200 << 20)) + ADTS * 200
    ),
    "AAC with compressed tags among its packets": of_bytes(
        "a.aac", lambda: ADTS * 200 + id3(compressed(b"TXXX", 200 << 20)) + ADTS * 200
    ),
    "AAC with 50,000 tags": of_bytes("a.aac", lambda: id3(*map(text, range(50_000))) + ADTS * 200),
    "FLAC with 50,000 comments": of_bytes("a.flac", lambda: flac(50_000)),
    "Opus with 50,000 comments": of_bytes("a.opus", lambda: opus(50_000)),
    "Matroska with 50,000 tags": of_bytes("a.mkv", lambda: matroska(50_000)),
}
