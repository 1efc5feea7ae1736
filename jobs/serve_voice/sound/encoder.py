"""Audio formats of an answer, encoded while the sound comes."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from typing import Any

import av
import numpy as np

from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.qwen.speech.sound import Samples

WHOLE = 2**15 - 1
UNKNOWN_SIZE = 2**32 - 1
"""Of a WAV whose end is not known yet."""
MP3_BITS_PER_S, OPUS_BITS_PER_S, AAC_BITS_PER_S = 128_000, 64_000, 96_000
_EXACT = {"fflags": "+bitexact", "flush_packets": "1"}
# name: content type, container, codec, bits a second, options of the container
_ENCODED: dict[str, tuple[str, str, str, int | None, dict[str, str]]] = {
    "mp3": ("audio/mpeg", "mp3", "libmp3lame", MP3_BITS_PER_S, {"write_xing": "0"}),
    "opus": ("audio/ogg", "ogg", "libopus", OPUS_BITS_PER_S, {"page_duration": "200000"}),
    "aac": ("audio/aac", "adts", "aac", AAC_BITS_PER_S, {}),
    "flac": ("audio/flac", "flac", "flac", None, {}),
}
CONTENT_TYPES = {"wav": "audio/wav", "pcm": f"audio/pcm;rate={SAMPLE_RATE_HZ};channels=1"} | {
    name: kind[0] for name, kind in _ENCODED.items()
}


class _Output(io.RawIOBase):
    """Bytes that a container has written since the last look; it cannot go back in them."""

    def __init__(self) -> None:
        self.parts = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.parts += content
        return len(content)

    def take(self) -> bytes:
        found = bytes(self.parts)
        self.parts.clear()
        return found


class SoundEncoder:
    """Encoder of one answer: mono, 24 kHz.

    Args:
        name: of the format.
        is_whole: all content comes at the end, with its length in the header where the format has a place for it.
    """

    def __init__(self, name: str, *, is_whole: bool = False) -> None:
        self._name, self._is_whole = name, is_whole
        self._n_samples = 0
        self._container: Any = None
        self._numbers = bytearray()
        if name in _ENCODED:
            _, kind, codec, bits_per_s, options = _ENCODED[name]
            self._output = io.BytesIO() if is_whole else _Output()
            self._container = av.open(self._output, "w", format=kind, options=_EXACT | options)
            self._sound = self._container.add_stream(codec, rate=SAMPLE_RATE_HZ, layout="mono")
            if bits_per_s is None:
                self._sound.codec_context.format = "s16"
            else:
                self._sound.bit_rate = bits_per_s
            context = self._sound.codec_context
            context.thread_count = 1
            self._resampler = av.AudioResampler(format=context.format.name, layout="mono", rate=context.rate)

    def encode(self, samples: Samples) -> bytes:
        """Return what the next samples add."""
        first = self._n_samples == 0
        self._n_samples += len(samples)
        if self._container is None:
            self._numbers += to_pcm(samples)
            return b"" if self._is_whole else self._take_numbers(wav_header(None) if first else b"")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="flt", layout="mono")
        frame.sample_rate, frame.time_base = SAMPLE_RATE_HZ, Fraction(1, SAMPLE_RATE_HZ)
        frame.pts = self._n_samples - len(samples)
        self._mux(frame)
        return self._take()

    def end(self) -> bytes:
        """Return what the end adds."""
        if self._container is None:
            if self._is_whole:
                return self._take_numbers(wav_header(len(self._numbers)))
            return b"" if self._n_samples else self._take_numbers(wav_header(None))
        self._mux(None)
        self._container.mux(self._sound.encode(None))
        self._container.close()
        return self._output.getvalue() if isinstance(self._output, io.BytesIO) else self._output.take()

    def _take(self) -> bytes:
        return b"" if isinstance(self._output, io.BytesIO) else self._output.take()

    def _take_numbers(self, header: bytes) -> bytes:
        found = (header if self._name == "wav" else b"") + bytes(self._numbers)
        self._numbers.clear()
        return found

    def _mux(self, frame: Any) -> None:
        for converted in self._resampler.resample(frame):
            self._container.mux(self._sound.encode(converted))


def to_pcm(samples: Samples) -> bytes:
    """Return samples as 16-bit little-endian numbers; those outside -1..1 are clipped."""
    scaled = np.clip(samples, -1.0, 1.0) * WHOLE
    return np.rint(scaled).astype("<i2").tobytes()


def wav_header(n_bytes: int | None) -> bytes:
    """Return the header of a mono 16-bit WAV at 24 kHz; None: of unknown length, which ends with the stream."""
    data, whole = (UNKNOWN_SIZE, UNKNOWN_SIZE) if n_bytes is None else (n_bytes, n_bytes + 36)
    numbers = (16, 1, 1, SAMPLE_RATE_HZ, 2 * SAMPLE_RATE_HZ, 2, 16)
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", whole, b"WAVE", b"fmt ", *numbers, b"data", data)
