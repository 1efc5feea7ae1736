"""Description of a recording by its container: tags, chapters, kind and length of the audio, within bounds."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from jobs.audio.decoding import audio_stream, cover_stream
from jobs.errors import UserError

SEEKABLE = ("wav", "flac", "w64", "aiff")  # frames decode independently, and stamps count samples
MAX_TAG = 300  # characters of a title or a name
MAX_CHAPTERS = 10_000  # a Bible has 1,189
# Longest audio of a file: a lossless file of silence has 10 bytes a second, the lowest bit rates of speech 80.
SILENT_S, LEAST_BYTES_PER_S = 600.0, 50


@dataclass(frozen=True)
class Chapter:
    """A titled part of the recording; seconds from its start."""

    title: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class RecordingInfo:
    """Description of a recording as its container gives it; ``duration_s`` is not a count of samples.

    ``container`` is libavformat's name of the format. ``has_exact_seek``: decoding may begin anywhere and gives the
    same samples each time. ``missing_s`` of the container's duration is not in the file.
    """

    title: str | None
    author: str | None
    chapters: tuple[Chapter, ...]
    duration_s: float | None
    sample_rate_hz: int
    has_cover: bool
    n_channels: int = 1
    container: str = ""
    has_exact_seek: bool = False
    missing_s: float = 0.0
    album: str | None = None
    n_audio_streams: int = 1
    audio_stream: int = 1
    """Number of the one that is read; the first is 1."""


def longest_s(path: Path) -> float:
    """Return the longest audio that a file of this size may hold, seconds."""
    return SILENT_S + path.stat().st_size / LEAST_BYTES_PER_S


def read_info(container: Any, path: Path) -> RecordingInfo:
    """Describe an open container. Raises ``UserError``: ``audio_no_stream``, ``audio_unreadable``."""
    stream = audio_stream(container, path)
    tags = {key.lower(): _tag(value) for key, value in {**stream.metadata, **container.metadata}.items()}
    marks = container.chapters()
    if len(marks) > MAX_CHAPTERS:
        raise UserError(
            "audio_unreadable",
            f"{path} has {len(marks):,} chapter marks; at most {MAX_CHAPTERS:,} are read.",
            "Remove them, e.g. by ffmpeg -i IN -map_chapters -1 -c copy OUT.",
        )
    chapters = tuple(
        Chapter(
            title=_tag(chapter["metadata"].get("title") or f"Chapter {number}"),
            start_s=float(chapter["start"] * chapter["time_base"]),
            end_s=float(chapter["end"] * chapter["time_base"]),
        )
        for number, chapter in enumerate(marks, 1)
    )
    rate = int(stream.codec_context.sample_rate)
    stated_s = container.duration / av.time_base if container.duration else None
    return RecordingInfo(
        title=tags.get("title") or tags.get("album"),
        author=tags.get("artist") or tags.get("album_artist") or tags.get("author"),
        chapters=chapters,
        duration_s=stated_s if stated_s is not None and 0 < stated_s <= longest_s(path) else None,
        sample_rate_hz=rate,
        has_cover=cover_stream(container) is not None,
        n_channels=int(stream.codec_context.channels),
        container=container.format.name.split(",")[0],
        has_exact_seek=container.format.name in SEEKABLE and stream.time_base == Fraction(1, rate),
        album=tags.get("album"),
        n_audio_streams=len(container.streams.audio),
        audio_stream=1 + list(container.streams.audio).index(stream),
    )


def _tag(text: object) -> str:
    """Return a tag on one line, cut to ``MAX_TAG`` characters."""
    line = " ".join(str(text)[: 10 * MAX_TAG].split())
    return line if len(line) <= MAX_TAG else line[:MAX_TAG] + "…"
