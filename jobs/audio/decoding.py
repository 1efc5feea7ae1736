"""Opening and decoding of audio files with libavformat, and the errors of files that cannot be opened."""

import ctypes
import functools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
import numpy.typing as npt

from jobs.audio import AUDIO_SUFFIXES
from jobs.audio.mp4_check import check_tables
from jobs.audio.tag_check import check_tags
from jobs.errors import UserError
from jobs.files.reading import open_regular

MP4_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2"
# Formats that libavformat may detect: no playlists or scripts, because they name other files or hosts.
OTHER_FORMATS = "mp3,aac,flac,ogg,wav,w64,aiff,caf,matroska,webm,matroska,webm,avi,mpeg,mpegts,amr,asf"
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 768_000
MAX_CANCELLED = 0.03  # energy of two channels' sum by that of their difference; over 10 in narration
MAX_CHANNELS = 64  # libswresample mixes no more
MAX_SAMPLES_PER_S = 1_536_000  # of all channels: eight at 192 kHz, two at 768
MAX_ALLOCATION_BYTES = 256 << 20  # an index of 70 hours of AAC
MAX_LOST_S = 2.0  # longest packet, replaced by silence when it does not decode; FLAC's have up to 1.5 s
MAX_ALL_LOST_S = 600.0  # undecodable packets, while they are more than what was decoded
# Errors of libav, and of our own reading of an MP4's tables.
BROKEN = (av.FFmpegError, OSError, ValueError, MemoryError, EOFError, LookupError, ArithmeticError, struct.error)
_LIBAVUTIL = ("../av.libs/libavutil*.so*", ".dylibs/libavutil*.dylib")


def check_container(path: Path) -> bool:
    """Return whether a file is an MP4, whose tables it can hold.

    Raises ``UserError``: ``audio_missing``, ``audio_empty``, ``audio_unreadable``, ``file_not_regular``.
    """
    try:
        with open_regular(path) as stream:
            size = stream.seek(0, 2)
            if not size:
                raise empty(path)
            is_mp4 = check_tables(path, stream, size)
            check_tags(path, stream, size, is_mp4=is_mp4)
            return is_mp4
    except FileNotFoundError as error:
        raise UserError("audio_missing", f"There is no file {path}.", "Check the path of the audio.") from error
    except OSError as error:
        raise unreadable(path, error) from error


def open_audio(path: Path) -> Any:
    """Open a container. Raises ``UserError``: those of ``check_container``."""
    formats = f"{MP4_FORMATS},{OTHER_FORMATS}" if check_container(path) else OTHER_FORMATS
    try:
        return open_container(str(path.absolute()), formats)
    except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
        raise unreadable(path, error) from error


def open_container(file: str | BinaryIO, formats: str) -> Any:
    """Open a file by libavformat as one of the formats. Raises ``av.FFmpegError`` or others of ``BROKEN``."""
    _limit_allocations()
    options = {"format_whitelist": formats, "protocol_whitelist": "file"}
    return av.open(file, metadata_errors="replace", options=options)


@functools.cache
def _limit_allocations() -> None:
    """Limit each allocation of libav, whose readers believe what a file says of its length."""
    for pattern in _LIBAVUTIL:
        for library in Path(av.__file__).parent.glob(pattern):
            ctypes.CDLL(str(library)).av_max_alloc(ctypes.c_size_t(MAX_ALLOCATION_BYTES))


def unreadable(path: Path, error: Exception) -> UserError:
    """Build the error for a file that libav cannot read."""
    return UserError(
        "audio_unreadable",
        f"{path} is not audio that can be decoded ({getattr(error, 'strerror', None) or error}).",
        f"Give a sound file ({' '.join(AUDIO_SUFFIXES)}). One that was cut off while it was copied lacks its index: "
        "copy it again.",
    )


def audio_stream(container: Any, path: Path) -> Any:
    """Return the default audio stream. Raises ``UserError``: ``audio_no_stream``, ``audio_unreadable``."""
    if not container.streams.audio:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "no"
        raise UserError(
            "audio_no_stream",
            f"{path} has {kinds} streams but no audio.",
            "Give the file that holds the narration.",
        )
    stream = default_audio(container)  # an m4b's first stream may be its cover or its chapter track
    codec = stream.codec_context
    if codec is None:
        raise _not_read(path, "of a kind for which there is no decoder")
    stream.thread_type = "NONE"
    try:
        codec.open(strict=False)
    except (av.FFmpegError, ValueError) as error:
        raise unreadable(path, error) from error
    rate, n_channels = codec.sample_rate or 0, codec.channels
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise _not_read(path, f"of {rate:,} Hz; {MIN_RATE_HZ:,} to {MAX_RATE_HZ:,} Hz are read")
    if rate * max(1, n_channels) > MAX_SAMPLES_PER_S:
        raise _not_read(path, f"of {n_channels} channels at {rate:,} Hz, more than a recording needs")
    if n_channels > MAX_CHANNELS:
        raise _not_read(path, f"of {n_channels} channels; at most {MAX_CHANNELS} are read")
    return stream


def default_audio(container: Any) -> Any:
    """Return the first audio stream that the container marks as its default; the first one if it marks none."""
    streams = container.streams.audio
    return next((one for one in streams if one.disposition & type(one.disposition).default), streams[0])


def _not_read(path: Path, why: str) -> UserError:
    return UserError("audio_unreadable", f"{path} has audio {why}.", "Convert it to FLAC of an ordinary rate first.")


def cover_stream(container: Any) -> Any:
    """Return the stream of the attached picture, or None."""
    for stream in container.streams.video:
        if stream.disposition & type(stream.disposition).attached_pic:
            return stream
    return None


def empty(path: Path) -> UserError:
    """Build the error for a file without samples."""
    return UserError("audio_empty", f"{path} holds no audio samples.", "Copy, download or record it again.")


Samples = npt.NDArray[np.float32]


def are_opposite(channels: npt.NDArray[np.floating[Any]]) -> bool:
    """Return whether two channels (2, samples) cancel each other: narration on both, one with its sign changed."""
    middle = np.square(channels[0] + channels[1], dtype=np.float64).sum()
    side = np.square(channels[0] - channels[1], dtype=np.float64).sum()
    return bool(middle < MAX_CANCELLED * side)


def decoded(
    container: Any, stream: Any, rate: int, stamps: list[int] | None = None, *, channels: str = "mono"
) -> Iterator[Samples]:
    """Mono float32 arrays of one decoded frame each, at ``rate``; the first frame's stamp goes to ``stamps``.

    Args:
        container: open.
        stream: of it.
        rate: samples a second.
        stamps: gets the stamp of the first frame.
        channels: ``mono`` mixes them; ``first`` takes the first of two; ``both`` gives arrays of (2, samples).

    Raises ``av.FFmpegError``: the file is broken, or most of it does not decode.
    """
    resampler: Any = None
    layout: tuple[str, str, int] | None = None
    n_decoded = n_all_lost = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            lost_s = float((packet.duration or 0) * packet.time_base) if packet.time_base else 0.0
            n_lost = int(min(lost_s, MAX_LOST_S) * rate)
            n_all_lost += n_lost
            if n_all_lost > max(n_decoded, MAX_ALL_LOST_S * rate):
                raise
            if n_lost > 0:
                yield np.zeros(n_lost, np.float32)
            continue
        for frame in frames:
            n_decoded += frame.samples * rate // (frame.sample_rate or rate)
            if stamps is not None and not stamps:
                stamps.append(int(frame.pts or 0))
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            if found in (("fltp", "mono", rate), ("flt", "mono", rate)):
                yield frame.to_ndarray()[0]
                continue
            if found != layout:  # some files change their layout on the way
                # as floats, libswresample's sum of several channels may be louder than any: only integers are scaled
                form = "flt" if frame.layout.nb_channels == 1 else "s32"
                mixed = "mono" if channels == "mono" else "stereo"
                resampler = av.AudioResampler(format=form if mixed == "mono" else "s32p", layout=mixed, rate=rate)
                layout = found
            frame.pts = None  # let the resampler count samples instead of trusting stamps
            for mono in resampler.resample(frame):
                samples = mono.to_ndarray() if channels == "both" else mono.to_ndarray()[0]
                yield samples if samples.dtype == np.float32 else (samples / 2.0**31).astype(np.float32)


def without_first(n_dropped: int, parts: Iterator[Samples]) -> Iterator[Samples]:
    """The same samples without the first ``n_dropped``."""
    for samples in parts:
        if n_dropped >= len(samples):
            n_dropped -= len(samples)
            continue
        yield samples[n_dropped:] if n_dropped else samples
        n_dropped = 0
