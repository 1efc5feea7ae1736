"""Hostile recordings: headers that promise more than any file holds, endless rates and lengths, and long tags."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

Builder = Callable[[Path], Path]

ADTS_SILENCE = b"\x21\x10\x04\x60\x8c\x1c"  # one packet of AAC


def box(kind: bytes, *content: bytes) -> bytes:
    """Return an MP4 box."""
    joined = b"".join(content)
    return struct.pack(">I4s", len(joined) + 8, kind) + joined


def mp4(
    *,
    handler: bytes = b"soun",
    entry: bytes = b"mp4a",
    timescale: int = 24_000,
    rate_hz: int = 24_000,
    n_packets: int = 10,
    packet_units: int = 1024,
    packet_bytes: int = 6,
    per_chunk: int = 10,
    n_chunks: int = 1,
    stts: bytes | None = None,
    stsz: bytes | None = None,
    beside: bytes = b"",
    top: bytes = b"",
    content: bytes = ADTS_SILENCE * 10,
) -> Builder:
    """Return the builder of an MP4 with one track whose tables say what the arguments say."""

    def build(folder: Path) -> Path:
        path = folder / "a.m4a"
        sample = struct.pack(">6xH8xHHIHH", 1, 1, 16, 0, 0, 0)[:24] + struct.pack(">I", (rate_hz << 16) & 0xFFFFFFFF)
        table = box(
            b"stbl",
            box(b"stsd", struct.pack(">II", 0, 1), box(entry, sample)),
            box(b"stts", stts if stts is not None else struct.pack(">IIII", 0, 1, n_packets, packet_units)),
            box(b"stsc", struct.pack(">IIIII", 0, 1, 1, per_chunk, 1)),
            box(b"stsz", stsz if stsz is not None else struct.pack(">III", 0, packet_bytes, n_packets)),
            box(b"stco", struct.pack(">II", 0, n_chunks) + struct.pack(">I", 40) * min(n_chunks, 1000)),
        )
        media = box(
            b"mdia",
            box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, timescale, 0, 0, 0)),
            box(b"hdlr", struct.pack(">II4s12x", 0, 0, handler), b"\0"),
            box(b"minf", box(b"smhd", bytes(8)), table),
        )
        head = box(b"ftyp", b"M4A \0\0\0\0isom") + box(b"mdat", content)
        path.write_bytes(head + box(b"moov", box(b"mvhd", bytes(100)), box(b"trak", media), beside) + top)
        return path

    return build


def wav(
    *, rate_hz: int = 24_000, n_channels: int = 1, bits: int = 16, form: int = 1, content: bytes = bytes(2_000)
) -> Builder:
    """Return the builder of a WAV file with this header."""

    def build(folder: Path) -> Path:
        path = folder / "a.wav"
        block = max(1, n_channels * bits // 8) & 0xFFFF
        header = struct.pack("<HHIIHH", form, n_channels, rate_hz, (rate_hz * block) & 0xFFFFFFFF, block, bits)
        chunks = b"fmt " + struct.pack("<I", len(header)) + header + b"data" + struct.pack("<I", len(content)) + content
        path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks)
        return path

    return build


def of_bytes(name: str, content: bytes) -> Builder:
    """Return the builder of a file."""

    def build(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    return build


def encode(path: Path, codec: str, *, n_samples: int = 4_800, rate_hz: int = 24_000, **tags: str) -> Path:
    """Write silence with tags by libavcodec."""
    with av.open(str(path), "w") as container:
        container.metadata.update(tags)
        stream = container.add_stream(codec, rate=rate_hz, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, n_samples), np.int16), format="s16", layout="mono")
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(stream.format.name, "mono", rate_hz, frame_size=stream.frame_size or 1024)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def long_title(folder: Path) -> Path:
    """Write a recording with a title of 5 MB."""
    return encode(folder / "a.m4a", "aac", title="T" * 5_000_000, artist="A" * 1_000_000)


def many_chapters(n_chapters: int, title: str = "c") -> Builder:
    """Return the builder of an MP3 with many chapters (ID3 CHAP frames)."""

    def build(folder: Path) -> Path:
        path = encode(folder / "a.mp3", "mp3")
        audio = path.read_bytes()
        name = title.encode()
        title_frame = b"TIT2" + struct.pack(">IH", len(name) + 1, 0) + b"\x03" + name
        frames = b""
        parts = []
        for number in range(n_chapters):
            content = b"%d\0" % number + struct.pack(">IIII", number, number + 1, 0xFFFFFFFF, 0xFFFFFFFF) + title_frame
            parts.append(b"CHAP" + struct.pack(">IH", len(content), 0) + content)
        frames = b"".join(parts)
        size = len(frames)
        synchsafe = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
        path.write_bytes(b"ID3\x03\0\0" + synchsafe + frames + audio[_id3_bytes(audio) :])
        return path

    return build


def _id3_bytes(audio: bytes) -> int:
    if not audio.startswith(b"ID3"):
        return 0
    size = 0
    for byte in audio[6:10]:
        size = size << 7 | byte
    return 10 + size


def pipe(folder: Path) -> Path:
    """Make a pipe without a writer."""
    path = folder / "a.wav"
    os.mkfifo(path)
    return path


def nested(n_boxes: int) -> bytes:
    """Return boxes within boxes."""
    return b"".join(struct.pack(">I4s", 8 * (n_boxes - k), b"udta") for k in range(n_boxes))


def fragment(n_packets: int) -> bytes:
    """Return a fragment that names packets without their sizes."""
    run = box(b"trun", struct.pack(">II", 0, n_packets))
    return box(b"moof", box(b"traf", box(b"tfhd", struct.pack(">II", 0, 0)), run))


MANY = 400_000_000
HUGE = 0xFFFFFFFF
BUILDERS: dict[str, Builder] = {
    "MP4 of 400 million packets": mp4(n_packets=MANY, per_chunk=MANY, packet_bytes=1),
    "MP4 of 4 billion packets": mp4(n_packets=HUGE, per_chunk=HUGE, packet_bytes=1),
    "MP4 of 400 million empty packets": mp4(n_packets=MANY, per_chunk=MANY, packet_bytes=0),
    "MP4 of 400 million packets in chunks": mp4(n_packets=MANY, per_chunk=1, packet_bytes=1, n_chunks=MANY),
    "MP4 with 4 billion packets in a chunk": mp4(n_packets=10, per_chunk=HUGE),
    "MP4 with no packets in a chunk": mp4(n_packets=10, per_chunk=0),
    "MP4 with a stts of 4 billion": mp4(stts=struct.pack(">II", 0, HUGE)),
    "MP4 with long packets": mp4(packet_units=HUGE, timescale=1),
    "MP4 of video with 400 million frames": mp4(
        handler=b"vide", entry=b"mp4v", n_packets=MANY, per_chunk=MANY, packet_bytes=1
    ),
    "MP4 of text with 400 million packets": mp4(
        handler=b"text", entry=b"text", n_packets=MANY, per_chunk=MANY, packet_bytes=1
    ),
    "MP4 of broken packets": mp4(n_packets=60_000, per_chunk=60_000, packet_bytes=1, content=bytes(70_000)),
    "MP4 of timescale 0": mp4(timescale=0),
    "MP4 of rate 0": mp4(rate_hz=0),
    "MP4 with many boxes": mp4(beside=box(b"free") * 300_000),
    "MP4 with many boxes at the top": mp4(top=box(b"free") * 300_000),
    "MP4 with nested boxes": mp4(
        beside=b"".join(struct.pack(">I4s", 8 * (20_000 - k), b"udta") for k in range(20_000))
    ),
    "MP4 with a fragment of 4 billion": mp4(
        top=box(
            b"moof", box(b"traf", box(b"tfhd", struct.pack(">II", 0, 0)), box(b"trun", struct.pack(">II", 0, HUGE)))
        )
    ),
    "WAV of 1 Hz": wav(rate_hz=1),
    "WAV of 0 Hz": wav(rate_hz=0),
    "WAV of 4 GHz": wav(rate_hz=HUGE),
    "WAV of 700 kHz": wav(rate_hz=705_600),
    "WAV of 0 bits": wav(bits=0),
    "WAV of 65,535 bits": wav(bits=65_535),
    "WAV of 65,535 channels": wav(n_channels=65_535),
    "WAV of 200 channels": wav(n_channels=200, content=bytes(400_000)),
    "WAV of 0 channels": wav(n_channels=0),
    "WAV of floats that are no numbers": wav(form=3, bits=32, content=struct.pack("<f", float("nan")) * 48_000),
    "WAV of infinite floats": wav(form=3, bits=32, content=struct.pack("<f", float("inf")) * 48_000),
    "WAV of GSM": wav(form=0x31, content=bytes(60_000)),
    "WAV of an unknown format": wav(form=0x7777),
    "WAV without samples": wav(content=b""),
    "playlist": of_bytes("a.mp3", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"),
    "concat script": of_bytes("a.mp3", b"ffconcat version 1.0\nfile /etc/passwd\n"),
    "noise": of_bytes("a.mp3", bytes(range(256)) * 4_000),
    "zeros": of_bytes("a.wav", bytes(1_000_000)),
    "5 MB title": long_title,
    "20,000 chapters": many_chapters(20_000),
    "chapters of long titles": many_chapters(200, "T" * 50_000),
    "pipe": pipe,
}
