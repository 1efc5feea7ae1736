"""Clips: short audio in and out as whole arrays. Recordings of any length are ``jobs.audio.recording``'s."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from jobs.audio.decoding import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, empty
from jobs.audio.recording import Samples as Samples
from jobs.audio.recording import decode_blocks, probe
from jobs.audio.resampling import resample
from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.errors import UserError
from jobs.files.atomic_io import write_bytes
from jobs.files.reading import check_regular

CLIP_RATE_HZ = SAMPLE_RATE_HZ  # input of the Qwen3-TTS codec
MAX_SAMPLES = 60_000_000  # of a clip: 20 minutes at 48 kHz
BLOCK_SAMPLES = 1 << 20
SPEECH_RATE_HZ = 16_000  # input of VAD, PocketSphinx, Whisper and wav2vec2


def read_clip(path: Path, sample_rate_hz: int) -> Samples:
    """Read a short audio file whole, as mono float32 at ``sample_rate_hz``, shape ``(n,)``.

    Raises ``UserError``: ``audio_unreadable``, ``audio_no_stream``, ``audio_empty``, ``audio_missing``,
    ``file_not_regular``.
    """
    parts: list[Samples] = []
    n_samples = rate = 0
    for samples, rate in _mono_blocks(path):
        parts.append(samples)
        n_samples += len(samples)
        if n_samples > MAX_SAMPLES:
            raise UserError(
                "audio_unreadable",
                f"{path} is longer than a clip: it has more than {MAX_SAMPLES / rate / 60:.0f} minutes.",
                "Give it to ingest_audiobook, or cut it.",
            )
    if not n_samples:
        raise empty(path)
    return resample(parts[0] if len(parts) == 1 else np.concatenate(parts), rate, sample_rate_hz)


def _mono_blocks(path: Path) -> Iterator[tuple[Samples, int]]:
    """Yield samples and their rate, by libsndfile, else by libav: m4a, aac, webm.

    They come in blocks because the length that a header states may be any number.
    """
    try:
        with _open_sound(path) as sound:
            while len(samples := sound.read(BLOCK_SAMPLES // sound.channels, dtype="float32", always_2d=True)):
                yield samples.mean(axis=1), int(sound.samplerate)
            return
    except (soundfile.LibsndfileError, OSError):
        pass
    for block in decode_blocks(path):
        yield block.samples, block.sample_rate_hz


def _open_sound(path: Path) -> soundfile.SoundFile:
    check_regular(path)
    sound = soundfile.SoundFile(path)
    if not MIN_RATE_HZ <= sound.samplerate <= MAX_RATE_HZ or sound.channels > MAX_CHANNELS:
        sound.close()
        raise UserError(
            "audio_unreadable",
            f"{path} has {sound.samplerate:,} Hz and {sound.channels} channels; {MIN_RATE_HZ:,} to {MAX_RATE_HZ:,} Hz "
            f"and at most {MAX_CHANNELS} channels are read.",
            "Convert it to WAV of an ordinary rate first.",
        )
    return sound


def write_clip(path: Path, samples: Samples, sample_rate_hz: int) -> None:
    """Write mono 16-bit WAV under a temporary name, then rename. Samples outside -1..1 are clipped."""
    encoded = io.BytesIO()  # libsndfile hides why it could not write; the operating system says "no space left"
    soundfile.write(encoded, np.clip(samples, -1.0, 1.0), sample_rate_hz, subtype="PCM_16", format="WAV")
    write_bytes(path, encoded.getvalue(), sync=False)


def duration_s(path: Path) -> float:
    """Length of an audio file in seconds: from the header of WAV and FLAC, else by counting samples.

    Raises ``UserError``: ``audio_unreadable``, ``audio_no_stream``, ``audio_empty``.
    """
    try:
        with _open_sound(path) as sound:
            length = sound.frames / float(sound.samplerate)
    except (soundfile.LibsndfileError, OSError):
        length = sum(len(block.samples) / block.sample_rate_hz for block in decode_blocks(path))
    if length <= 0:
        raise empty(path)
    return float(length)


def sample_rate_hz(path: Path) -> int:
    """Sample rate that a file's header names.

    Raises ``UserError``: ``audio_unreadable``, ``audio_no_stream``, ``audio_empty``.
    """
    try:
        with _open_sound(path) as sound:
            return int(sound.samplerate)
    except (soundfile.LibsndfileError, OSError):
        return probe(path).sample_rate_hz
