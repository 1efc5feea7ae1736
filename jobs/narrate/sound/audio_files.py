"""Audio files of a narration: the m4b with chapters, cover and tags, and a file for each chapter."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples
from jobs.books.blocks import Cover
from jobs.files.atomic_io import open_binary
from jobs.narrate.sound.loudness import make_frame

BLOCK = 8 * CLIP_RATE_HZ
EXACT = {"fflags": "+bitexact"}  # no date and no version in the file: the same sound gives the same bytes
M4B = {**EXACT, "brand": "M4B "}
MP3_RATE_HZ, MP3_BITS_PER_S = 44_100, 192_000  # ACX: 44.1 kHz, constant 192 kbit/s


@dataclass(frozen=True)
class Mark:
    """A chapter in the file, in samples."""

    title: str
    start: int
    end: int


def write_audiobook(
    path: Path,
    blocks: Iterable[Samples],
    marks: Sequence[Mark],
    tags: Mapping[str, str],
    cover: Cover | None,
    bits_per_s: int,
) -> None:
    """Write an MPEG-4 audiobook of AAC at 24 kHz.

    Args:
        path: of the file.
        blocks: sound, in order.
        marks: its chapters.
        tags: such as ``title`` and ``artist``.
        cover: picture; None: there is none.
        bits_per_s: of the AAC.
    """
    with open_binary(path) as stream, av.open(stream, "w", format="mp4", options=M4B) as container:
        container.metadata.update(tags)
        sound = _add_sound(container, "aac", CLIP_RATE_HZ, bits_per_s)
        picture = None
        if cover is not None:
            picture = container.add_mux_stream(cover.codec, width=cover.width, height=cover.height)
            picture.disposition = Disposition.attached_pic
        base = Fraction(1, CLIP_RATE_HZ)
        container.set_chapters(
            [
                {"id": number, "start": mark.start, "end": mark.end, "time_base": base,
                 "metadata": {"title": mark.title}}
                for number, mark in enumerate(marks, 1)
            ]
        )  # fmt: skip
        container.start_encoding()
        if cover is not None:
            packet = av.Packet(cover.content)
            packet.stream, packet.pts, packet.dts, packet.time_base = picture, 0, 0, Fraction(1, 1000)
            packet.is_keyframe = True
            container.mux(packet)
        _encode(container, sound, blocks)


def write_chapter(path: Path, blocks: Iterable[Samples], tags: Mapping[str, str]) -> None:
    """Write a chapter as MP3 (44.1 kHz, constant 192 kbit/s) or FLAC (24 kHz, 16 bit), by the name's suffix."""
    is_mp3 = path.suffix == ".mp3"
    kind = path.suffix.removeprefix(".")
    with open_binary(path) as stream, av.open(stream, "w", format=kind, options=EXACT) as container:
        container.metadata.update(tags)
        sound = (
            _add_sound(container, "libmp3lame", MP3_RATE_HZ, MP3_BITS_PER_S)
            if is_mp3
            else _add_sound(container, "flac", CLIP_RATE_HZ, None)
        )
        _encode(container, sound, blocks)


def _add_sound(container: Any, codec: str, rate_hz: int, bits_per_s: int | None) -> Any:
    sound = container.add_stream(codec, rate=rate_hz, layout="mono")
    if codec == "flac":
        sound.codec_context.format = "s16"
    if bits_per_s is not None:
        sound.bit_rate = bits_per_s
    sound.codec_context.thread_count = 1
    return sound


def _encode(container: Any, sound: Any, blocks: Iterable[Samples]) -> None:
    context = sound.codec_context
    resampler = av.AudioResampler(format=context.format.name, layout="mono", rate=context.rate)
    place = 0
    for block in blocks:
        for first in range(0, len(block), BLOCK):
            piece = block[first : first + BLOCK]
            for frame in resampler.resample(make_frame(piece, place)):
                container.mux(sound.encode(frame))
            place += len(piece)
    for frame in resampler.resample(None):
        container.mux(sound.encode(frame))
    container.mux(sound.encode(None))
