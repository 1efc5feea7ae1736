"""Recordings of any length: description by the container, and samples in blocks from any position.

Times come from counting decoded samples, never from container timestamps: MP3 and AAC stamps drift.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np

from jobs.audio.copy_protection import refuse_encrypted, refuse_protected
from jobs.audio.decoding import (
    BROKEN,
    MP4_FORMATS,
    are_opposite,
    audio_stream,
    check_container,
    cover_stream,
    decoded,
    default_audio,
    empty,
    open_audio,
    open_container,
    unreadable,
    without_first,
)
from jobs.audio.decoding import Samples as Samples
from jobs.audio.mp4_index import Mp4Audio, part, read_mp4
from jobs.audio.recording_info import SEEKABLE, longest_s, read_info
from jobs.audio.recording_info import Chapter as Chapter
from jobs.audio.recording_info import RecordingInfo as RecordingInfo
from jobs.errors import UserError

MAX_COVER_BYTES = 20 << 20
COVER_MARKS = {b"\x89PNG": ".png", b"\xff\xd8": ".jpg"}
MAX_LEVEL = 16.0  # 24 dB over full scale; floats may be any number, or none
HEARD_S = 30
SILENT = 0.003  # -50 dBFS
_FIRST_PACKETS = 8
_FEWEST_SAMPLES = 64  # of a packet: libavformat has no index of single samples of PCM, so it needs none of ours
# Decoded and dropped before a place within an MP4: overlap, and AAC's spectral band replication.
_PREROLL_PACKETS = 8


@dataclass(frozen=True)
class AudioBlock:
    """Consecutive mono samples of a recording, float32 in -1..1, at the source's own rate."""

    samples: Samples  # (n,)
    sample_rate_hz: int
    start_sample: int

    @property
    def end_sample(self) -> int:
        """The sample after the last."""
        return self.start_sample + len(self.samples)


@dataclass(frozen=True)
class _Packets:
    """Packets of an MP4 and the samples in each; the first ``n_skipped`` samples are the encoder's delay."""

    audio: Mp4Audio
    n_samples: int
    n_skipped: int


class Recording:
    """A recording whose container has been read, not its audio.

    Raises ``UserError``: ``audio_missing``, ``audio_empty``, ``audio_unreadable``, ``audio_protected``,
    ``audio_no_stream``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        is_mp4 = check_container(path)
        refuse_protected(path)
        mp4 = read_mp4(path) if is_mp4 else None
        if mp4 is not None:
            refuse_encrypted(path, mp4.entry)
        self._longest_s = longest_s(path)
        self._packets = _packets(mp4) if mp4 is not None and mp4.n_packets else None
        if self._packets is None:
            with open_audio(path) as container:
                self.info = read_info(container, path)
            return
        audio = self._packets.audio
        with _open_part(self._packets, 0, _FIRST_PACKETS, whole=True) as container:
            info = read_info(container, path)
        length_s = audio.n_packets * audio.packet_units / audio.timescale
        missing_s = (audio.n_promised - audio.n_packets) * audio.packet_units / audio.timescale
        stated_s = length_s - self._packets.n_skipped / info.sample_rate_hz
        duration_s = stated_s if stated_s <= self._longest_s else None
        self.info = replace(info, duration_s=duration_s, has_exact_seek=True, missing_s=missing_s)

    def blocks(self, start: int = 0, end: int | None = None, block_s: float = 5.0) -> Iterator[AudioBlock]:
        """Decode the samples ``start:end`` to mono blocks of about ``block_s`` seconds, in bounded memory.

        Audio before ``start`` is decoded and dropped unless the recording can be entered there exactly. A packet that
        does not decode is replaced by silence of its length, so that later times stay right. Raises ``UserError``:
        ``audio_unreadable``, ``audio_no_stream``.
        """
        rate = self.info.sample_rate_hz
        pending: list[Samples] = []
        position, n_pending = start, 0
        for samples in self._decoded(start, end):
            if end is not None:
                samples = samples[: max(0, end - position - n_pending)]
                if not len(samples):
                    break
            pending.append(samples)
            n_pending += len(samples)
            if n_pending >= block_s * rate:
                yield AudioBlock(_finite(np.concatenate(pending)), rate, position)
                position += n_pending
                pending, n_pending = [], 0
                if position > self._longest_s * rate:
                    raise _too_long(self.path, position / rate)
        if n_pending:
            yield AudioBlock(_finite(np.concatenate(pending)), rate, position)

    @cached_property
    def has_opposite_channels(self) -> bool:
        """True where the sum of two channels is silence, by the first half a minute that is not silent."""
        if self.info.n_channels != 2:
            return False
        parts, n_left = [], HEARD_S * self.info.sample_rate_hz
        try:
            with open_audio(self.path) as container:
                stream = audio_stream(container, self.path)
                for samples in decoded(container, stream, self.info.sample_rate_hz, channels="both"):
                    if samples.ndim == 2 and np.abs(samples).max(initial=0.0) > SILENT:
                        parts.append(samples)
                        n_left -= samples.shape[1]
                    if n_left <= 0:
                        break
        except BROKEN:
            return False  # the error comes again where it is read on
        return bool(parts) and are_opposite(np.concatenate(parts, axis=1))

    @property
    def _channels(self) -> str:
        return "first" if self.has_opposite_channels else "mono"

    def cover(self) -> tuple[bytes, str] | None:
        """The attached picture and its suffix (``.jpg`` or ``.png``), or None."""
        packets = self._packets
        opened = open_audio(self.path) if packets is None else _open_part(packets, 0, _FIRST_PACKETS, whole=True)
        with opened as container:
            stream = cover_stream(container)
            if stream is None:
                return None
            packet = next(iter(container.demux(stream)), None)
            data = bytes(packet) if packet is not None and packet.size <= MAX_COVER_BYTES else b""
        return next(((data, suffix) for mark, suffix in COVER_MARKS.items() if data.startswith(mark)), None)

    def _decoded(self, start: int, end: int | None) -> Iterator[Samples]:
        try:
            yield from self._from(start, end)
        except BROKEN as error:
            raise unreadable(self.path, error) from error

    def _from(self, start: int, end: int | None) -> Iterator[Samples]:
        if self._packets is not None:
            return self._from_packet(self._packets, start, end)
        if self.info.container in SEEKABLE and start:
            return self._from_stamp(start)
        return without_first(start, self._from_beginning())

    def _from_beginning(self) -> Iterator[Samples]:
        with open_audio(self.path) as container:
            stream = audio_stream(container, self.path)
            yield from decoded(container, stream, self.info.sample_rate_hz, channels=self._channels)

    def _from_packet(self, packets: _Packets, start: int, end: int | None) -> Iterator[Samples]:
        n_packets = packets.audio.n_packets
        first = max(0, (start + packets.n_skipped) // packets.n_samples - _PREROLL_PACKETS)
        last = n_packets if end is None else min(n_packets, (end + packets.n_skipped) // packets.n_samples + 1)
        if first >= last:
            return
        with _open_part(packets, first, last) as container:
            stream = audio_stream(container, self.path)
            n_before = start + packets.n_skipped - first * packets.n_samples
            samples = decoded(container, stream, self.info.sample_rate_hz, channels=self._channels)
            yield from without_first(n_before, samples)

    def _from_stamp(self, start: int) -> Iterator[Samples]:
        rate = self.info.sample_rate_hz
        with open_audio(self.path) as container:
            stream = audio_stream(container, self.path)
            try:
                container.seek(start, stream=stream)
            except av.FFmpegError:  # after the end, or what the header says of it
                return
            stamps: list[int] = []
            samples = decoded(container, stream, rate, stamps, channels=self._channels)
            head = next(samples, None)
            if head is None:
                return
            yield from without_first(start - stamps[0], chain([head], samples))


def probe(path: Path) -> RecordingInfo:
    """Read tags, chapters and the kind of audio without decoding it. Raises as ``Recording`` does."""
    return Recording(path).info


def decode_blocks(path: Path, block_s: float = 10.0) -> Iterator[AudioBlock]:
    """Decode a recording from its start to its end; see ``Recording.blocks``.

    Raises ``UserError``: those of ``Recording``, ``audio_empty``.
    """
    is_empty = True
    for block in Recording(path).blocks(block_s=block_s):
        is_empty = False
        yield block
    if is_empty:
        raise empty(path)


def _too_long(path: Path, reached_s: float) -> UserError:
    return UserError(
        "audio_unreadable",
        f"{path} decodes to more than {reached_s:.0f} s, too much for its size: it holds next to nothing but silence.",
        "Check that this is the right file.",
    )


def _finite(samples: Samples) -> Samples:
    """Return the samples with what is no number, or far too loud, made silent or limited."""
    if np.abs(samples).max() <= MAX_LEVEL:  # false for NaN
        return samples
    return np.clip(np.nan_to_num(samples, nan=0.0), -MAX_LEVEL, MAX_LEVEL)


def _packets(mp4: Mp4Audio) -> _Packets | None:
    """Find from the first packets how many samples a packet holds; None when they differ."""
    n_tried = min(_FIRST_PACKETS, mp4.n_packets)
    try:
        with open_container(part(mp4, 0, n_tried, whole=True), MP4_FORMATS) as container:
            stream = default_audio(container)
            frames = list(container.decode(stream))
    except (*BROKEN, AttributeError):
        return None  # libavformat reports the error of the whole file
    if not frames:
        return None
    rate = int(stream.codec_context.sample_rate or 0)
    n_samples, rest = divmod(mp4.packet_units * rate, mp4.timescale)
    n_decoded = sum(frame.samples for frame in frames)
    is_even = not rest and all(frame.samples == n_samples and frame.sample_rate == rate for frame in frames[1:-1])
    if n_samples < _FEWEST_SAMPLES or not is_even or n_decoded > n_tried * n_samples or len(frames) > n_tried:
        return None
    return _Packets(mp4, n_samples, n_tried * n_samples - n_decoded if n_tried == _FIRST_PACKETS else 0)


def _open_part(packets: _Packets, first: int, last: int, *, whole: bool = False) -> Any:
    last = min(last, packets.audio.n_packets)
    return open_container(part(packets.audio, first, last, whole=whole), MP4_FORMATS)
