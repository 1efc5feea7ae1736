"""Clips: short audio in and out as whole arrays. Recordings of any length are ``jobs.audio.recording``'s."""

import io
from pathlib import Path

import numpy as np
import soundfile

from jobs.audio.decoding import empty
from jobs.audio.recording import Samples as Samples
from jobs.audio.recording import decode_blocks, probe
from jobs.audio.resampling import resample
from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.files.atomic_io import write_bytes

CLIP_RATE_HZ = SAMPLE_RATE_HZ  # input of the Qwen3-TTS codec
SPEECH_RATE_HZ = 16_000  # input of VAD, PocketSphinx, Whisper and wav2vec2


def read_clip(path: Path, sample_rate_hz: int) -> Samples:
    """Read a short audio file whole, as mono float32 at ``sample_rate_hz``, shape ``(n,)``.

    Raises ``UserError``: ``audio_unreadable``, ``audio_no_stream``, ``audio_empty``.
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
        raise empty(path)
    return resample(samples, rate, sample_rate_hz)


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
        with soundfile.SoundFile(path) as sound:
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
        with soundfile.SoundFile(path) as sound:
            return int(sound.samplerate)
    except (soundfile.LibsndfileError, OSError):
        return probe(path).sample_rate_hz
