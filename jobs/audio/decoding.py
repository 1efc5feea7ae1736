"""Opening and decoding of audio files with libavformat, and the errors of files that cannot be opened."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from jobs.errors import UserError

# Formats that libavformat may detect: no playlists or scripts, because they name other files or hosts.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,mp3,aac,flac,ogg,wav,w64,aiff,caf,matroska,webm,matroska,webm,avi,mpeg,mpegts,amr,asf"
)


def open_audio(path: Path) -> Any:
    """Open a container. Raises ``UserError``: ``audio_missing``, ``audio_empty``, ``audio_unreadable``."""
    try:
        return av.open(str(path), metadata_errors="replace", options={"format_whitelist": FORMATS})
    except FileNotFoundError as error:
        raise UserError("audio_missing", f"There is no file {path}.", "Check the path of the audio.") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        if path.is_file() and path.stat().st_size == 0:
            raise empty(path) from error
        raise UserError(
            "audio_unreadable",
            f"{path} is not audio that can be decoded ({getattr(error, 'strerror', None) or error}).",
            "Give an m4b, m4a, mp3, aac, flac, ogg, opus or wav file. One that was cut off while it was copied lacks "
            "its index: copy it again.",
        ) from error


def audio_stream(container: Any, path: Path) -> Any:
    """Return the first audio stream. Raises ``UserError``: ``audio_no_stream``, ``audio_unreadable``."""
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
    stream.thread_type = "NONE"
    return stream


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


def decoded(container: Any, stream: Any, rate: int, stamps: list[int] | None = None) -> Iterator[Samples]:
    """Mono float32 arrays of one decoded frame each, at ``rate``; the first frame's stamp goes to ``stamps``."""
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
            if stamps is not None and not stamps:
                stamps.append(int(frame.pts or 0))
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            if found in (("fltp", "mono", rate), ("flt", "mono", rate)):
                yield frame.to_ndarray()[0]
                continue
            if found != layout:  # some files change their layout on the way
                # as floats, libswresample's sum of several channels may be louder than any: only integers are scaled
                form = "flt" if frame.layout.nb_channels == 1 else "s32"
                resampler = av.AudioResampler(format=form, layout="mono", rate=rate)
                layout = found
            frame.pts = None  # let the resampler count samples instead of trusting stamps
            for mono in resampler.resample(frame):
                samples = mono.to_ndarray()[0]
                yield samples if samples.dtype == np.float32 else (samples / 2.0**31).astype(np.float32)


def without_first(n_dropped: int, parts: Iterator[Samples]) -> Iterator[Samples]:
    """The same samples without the first ``n_dropped``."""
    for samples in parts:
        if n_dropped >= len(samples):
            n_dropped -= len(samples)
            continue
        yield samples[n_dropped:] if n_dropped else samples
        n_dropped = 0
