"""Audio in and out: short clips as whole arrays, recordings of any length as a stream of blocks.

Times come from counting decoded samples, never from container timestamps: MP3 and AAC stamps drift.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from jobs.errors import UserError

Samples = npt.NDArray[np.float32]

CLIP_RATE_HZ = 24_000  # what the Qwen3-TTS 12 Hz codec hears
SPEECH_RATE_HZ = 16_000  # what VAD, recogniser, Whisper and wav2vec2 hear


@dataclass(frozen=True)
class Chapter:
    """A titled stretch of the recording; seconds from its start."""

    title: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class RecordingInfo:
    """What a container says about its recording; ``duration_s`` is its claim, not a count of samples."""

    title: str | None
    author: str | None
    chapters: tuple[Chapter, ...]
    duration_s: float | None
    sample_rate_hz: int
    has_cover: bool


@dataclass(frozen=True)
class AudioBlock:
    """Consecutive mono samples of a recording, float32 in -1..1, at the source's own rate."""

    samples: Samples  # (n,)
    sample_rate_hz: int
    start_sample: int


def probe(path: Path) -> RecordingInfo:
    """Read tags, chapters and the kind of audio without decoding it.

    Raises:
        UserError: ``audio_unreadable``, ``audio_no_stream``.
    """
    with _open(path) as container:
        stream = _audio_stream(container, path)
        tags = {key.lower(): value for key, value in container.metadata.items()}
        chapters = tuple(
            Chapter(
                title=str(chapter["metadata"].get("title") or f"Chapter {number}"),
                start_s=float(chapter["start"] * chapter["time_base"]),
                end_s=float(chapter["end"] * chapter["time_base"]),
            )
            for number, chapter in enumerate(container.chapters(), 1)
        )
        return RecordingInfo(
            title=tags.get("title") or tags.get("album"),
            author=tags.get("artist") or tags.get("album_artist") or tags.get("author"),
            chapters=chapters,
            duration_s=container.duration / av.time_base if container.duration else None,
            sample_rate_hz=int(stream.codec_context.sample_rate),
            has_cover=_cover_stream(container) is not None,
        )


def read_cover(path: Path) -> tuple[bytes, str] | None:
    """The attached picture and its suffix (``.jpg`` or ``.png``), or None."""
    with _open(path) as container:
        stream = _cover_stream(container)
        if stream is None:
            return None
        packet = next(iter(container.demux(stream)), None)
        data = bytes(packet) if packet is not None else b""
    return (data, ".png" if data.startswith(b"\x89PNG") else ".jpg") if data else None


def decode_blocks(path: Path, block_s: float = 10.0) -> Iterator[AudioBlock]:
    """Decode a recording to mono blocks of about ``block_s`` seconds, in bounded memory.

    A packet that does not decode is replaced by as much silence as it was long, so that later times hold.

    Raises:
        UserError: ``audio_unreadable``, ``audio_no_stream``, ``audio_empty``.
    """
    with _open(path) as container:
        stream = _audio_stream(container, path)
        stream.thread_type = "NONE"
        rate = int(stream.codec_context.sample_rate)
        pending: list[Samples] = []
        n_pending = start = 0
        for samples in _decoded(container, stream, rate):
            pending.append(samples)
            n_pending += len(samples)
            if n_pending >= block_s * rate:
                yield AudioBlock(np.concatenate(pending), rate, start)
                start += n_pending
                pending, n_pending = [], 0
        if n_pending:
            yield AudioBlock(np.concatenate(pending), rate, start)
        elif start == 0:
            raise _empty(path)


def read_clip(path: Path, sample_rate_hz: int) -> Samples:
    """Read a short audio file whole, as mono float32 at ``sample_rate_hz``, shape ``(n,)``.

    Raises:
        UserError: ``audio_unreadable``, ``audio_no_stream``, ``audio_empty``.
    """
    try:
        with soundfile.SoundFile(path) as sound:
            rate = int(sound.samplerate)
            samples: Samples = sound.read(dtype="float32", always_2d=True).mean(axis=1)
    except (soundfile.LibsndfileError, OSError):
        blocks = list(decode_blocks(path))  # m4a, aac, webm: not libsndfile's
        rate = blocks[0].sample_rate_hz
        samples = np.concatenate([block.samples for block in blocks])
    if not len(samples):
        raise _empty(path)
    return resample(samples, rate, sample_rate_hz)


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Change the rate of mono samples; soxr's HQ quality."""
    if from_hz == to_hz:
        return samples.astype(np.float32, copy=False)
    changed: Samples = soxr.resample(samples, from_hz, to_hz, quality="HQ").astype(np.float32, copy=False)
    return changed


def write_clip(path: Path, samples: Samples, sample_rate_hz: int) -> None:
    """Write mono 16-bit WAV under a temporary name, then rename. Samples outside -1..1 are clipped."""
    encoded = io.BytesIO()  # libsndfile hides why it could not write; the operating system says "no space left"
    soundfile.write(encoded, np.clip(samples, -1.0, 1.0), sample_rate_hz, subtype="PCM_16", format="WAV")
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(encoded.getvalue())
    temporary.replace(path)


def duration_s(path: Path) -> float:
    """Length of an audio file in seconds: from the header of WAV and FLAC, else by counting samples.

    Raises:
        UserError: ``audio_unreadable``, ``audio_no_stream``, ``audio_empty``.
    """
    try:
        with soundfile.SoundFile(path) as sound:
            length = sound.frames / float(sound.samplerate)
    except (soundfile.LibsndfileError, OSError):
        length = sum(len(block.samples) / block.sample_rate_hz for block in decode_blocks(path))
    if length <= 0:
        raise _empty(path)
    return float(length)


def sample_rate_hz(path: Path) -> int:
    """Sample rate that a file's header names.

    Raises:
        UserError: ``audio_unreadable``, ``audio_no_stream``, ``audio_empty``.
    """
    try:
        with soundfile.SoundFile(path) as sound:
            return int(sound.samplerate)
    except (soundfile.LibsndfileError, OSError):
        return probe(path).sample_rate_hz


def _open(path: Path) -> Any:
    try:
        return av.open(str(path), metadata_errors="replace")
    except FileNotFoundError as error:
        raise UserError("audio_missing", f"There is no file {path}.", "Check the path of the audio.") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        if path.is_file() and path.stat().st_size == 0:
            raise _empty(path) from error
        raise UserError(
            "audio_unreadable",
            f"{path} is not audio that can be decoded ({getattr(error, 'strerror', None) or error}).",
            "Give an m4b, m4a, mp3, flac, ogg, opus or wav file; a DRM-protected one must be exported first.",
        ) from error


def _audio_stream(container: Any, path: Path) -> Any:
    if not container.streams.audio:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "no"
        raise UserError(
            "audio_no_stream",
            f"{path} has {kinds} streams but no audio.",
            "Give the file that holds the narration.",
        )
    stream = container.streams.audio[0]  # an m4b's first stream may be its cover or its chapter track
    if not stream.codec_context.sample_rate:
        raise UserError("audio_unreadable", f"{path} does not say its sample rate.", "Convert it to FLAC first.")
    return stream


def _cover_stream(container: Any) -> Any:
    for stream in container.streams.video:
        if stream.disposition & type(stream.disposition).attached_pic:
            return stream
    return None


def _decoded(container: Any, stream: Any, rate: int) -> Iterator[Samples]:
    """Mono float32 arrays of one decoded frame each, at ``rate``."""
    resampler: Any = None
    layout: tuple[str, str, int] | None = None
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            n_lost = int((packet.duration or 0) * packet.time_base * rate) if packet.time_base else 0
            if n_lost:
                yield np.zeros(n_lost, np.float32)
            continue
        for frame in frames:
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            if found != layout:  # some files change their layout on the way
                resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
                layout = found
            frame.pts = None  # let the resampler count samples instead of trusting stamps
            for mono in resampler.resample(frame):
                yield mono.to_ndarray()[0]


def _empty(path: Path) -> UserError:
    return UserError("audio_empty", f"{path} holds no audio samples.", "Copy, download or record it again.")
