"""Clips: short audio in and out as whole arrays. Recordings of any length are ``jobs.audio.recording``'s."""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from jobs.audio.decoding import empty
from jobs.audio.recording import Samples as Samples
from jobs.audio.recording import decode_blocks, probe
from jobs.audio.resampling import resample
from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.files.atomic_io import write_bytes
from jobs.files.reading import open_regular

CLIP_RATE_HZ = SAMPLE_RATE_HZ  # input of the Qwen3-TTS codec
BLOCK_VALUES = 4_000_000
SPEECH_RATE_HZ = 16_000  # input of VAD, PocketSphinx, Whisper and wav2vec2


def read_clip(path: Path, sample_rate_hz: int, longest_s: float = math.inf) -> Samples:
    """Read a short audio file whole, as mono float32 at ``sample_rate_hz``, shape ``(n,)``.

    Of one that is longer than ``longest_s`` only the first part is read, up to a second more than that.

    Raises ``UserError``: ``audio_unreadable``, ``audio_no_stream``, ``audio_empty``, ``file_not_regular``.
    """
    try:
        with _opened(path) as sound:
            rate = int(sound.samplerate)
            samples = _read_mono(sound, min(sound.frames, (longest_s + 1) * rate))
    except (soundfile.LibsndfileError, OSError):
        rate, samples = _decode_mono(path, longest_s)  # m4a, aac, webm: not libsndfile's
    if not len(samples):
        raise empty(path)
    return resample(samples, rate, sample_rate_hz)


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open by number: of a name, soundfile takes ``.raw`` for samples without a header."""
    with open_regular(path) as stream, soundfile.SoundFile(stream.fileno(), closefd=False) as sound:
        yield sound


def _read_mono(sound: soundfile.SoundFile, n_wanted: float) -> Samples:
    """Read the mean of all channels, block by block: a file may have very many."""
    parts: list[Samples] = []
    n_read = 0
    while n_read < n_wanted:
        n = int(min(n_wanted - n_read, max(1, BLOCK_VALUES // sound.channels)))
        part = sound.read(n, dtype="float32", always_2d=True).mean(axis=1)
        parts.append(part)
        n_read += len(part)
        if len(part) < n:
            break
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.float32), *parts])


def _decode_mono(path: Path, longest_s: float) -> tuple[int, Samples]:
    blocks = []
    for block in decode_blocks(path):
        blocks.append(block)
        if block.end_sample > longest_s * block.sample_rate_hz:
            break
    return blocks[0].sample_rate_hz, np.concatenate([block.samples for block in blocks])


def write_clip(path: Path, samples: Samples, sample_rate_hz: int) -> None:
    """Write mono 16-bit WAV under a temporary name, then rename. Samples outside -1..1 are clipped."""
    encoded = io.BytesIO()  # libsndfile hides why it could not write; the operating system says "no space left"
    soundfile.write(encoded, np.clip(samples, -1.0, 1.0), sample_rate_hz, subtype="PCM_16", format="WAV")
    write_bytes(path, encoded.getvalue(), sync=False)


def duration_s(path: Path) -> float:
    """Length of an audio file in seconds: from the header of WAV and FLAC, else by counting samples.

    Raises ``UserError``: ``audio_unreadable``, ``audio_no_stream``, ``audio_empty``, ``file_not_regular``.
    """
    try:
        with _opened(path) as sound:
            length = sound.frames / float(sound.samplerate)
    except (soundfile.LibsndfileError, OSError):
        length = sum(len(block.samples) / block.sample_rate_hz for block in decode_blocks(path))
    if length <= 0:
        raise empty(path)
    return float(length)


def header_length_s(path: Path) -> float | None:
    """Return the seconds that a file's header names; None for formats that libsndfile does not read."""
    try:
        with _opened(path) as sound:
            return float(sound.frames / sound.samplerate)
    except (soundfile.LibsndfileError, OSError):
        return None


def sample_rate_hz(path: Path) -> int:
    """Sample rate that a file's header names.

    Raises ``UserError``: ``audio_unreadable``, ``audio_no_stream``, ``audio_empty``, ``file_not_regular``.
    """
    try:
        with _opened(path) as sound:
            return int(sound.samplerate)
    except (soundfile.LibsndfileError, OSError):
        return probe(path).sample_rate_hz
