"""Clips: short audio in and out as whole arrays. Recordings of any length are ``jobs.audio.recording``'s."""

import io
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from jobs.audio.decoding import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, are_opposite, empty
from jobs.audio.recording import Samples as Samples
from jobs.audio.recording import decode_blocks, probe
from jobs.audio.resampling import resample
from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.errors import UserError
from jobs.files.atomic_io import write_bytes
from jobs.files.reading import open_regular

CLIP_RATE_HZ = SAMPLE_RATE_HZ  # input of the Qwen3-TTS codec
MAX_SAMPLES = 60_000_000  # of a clip: 20 minutes at 48 kHz
BLOCK_SAMPLES = 1 << 20
FADE_S = 0.04
SPEECH_RATE_HZ = 16_000  # input of VAD, PocketSphinx, Whisper and wav2vec2


def read_clip(path: Path, sample_rate_hz: int, longest_s: float = math.inf) -> Samples:
    """Read a short audio file whole, as mono float32 at ``sample_rate_hz``, shape ``(n,)``.

    Of one that is longer than ``longest_s`` only the first part is read, which is longer than that, too.

    Raises ``UserError``: ``audio_unreadable``, ``audio_no_stream``, ``audio_empty``, ``audio_missing``,
    ``file_not_regular``.
    """
    try:
        samples, rate = _join(path, _blocks_by_libsndfile(path), longest_s)
    except (soundfile.LibsndfileError, OSError):  # m4a, aac, webm
        samples, rate = _join(path, ((block.samples, block.sample_rate_hz) for block in decode_blocks(path)), longest_s)
    return resample(samples, rate, sample_rate_hz)


def _join(path: Path, blocks: Iterable[tuple[Samples, int]], longest_s: float) -> tuple[Samples, int]:
    parts: list[Samples] = []
    n_samples = rate = 0
    for samples, rate in blocks:
        parts.append(samples)
        n_samples += len(samples)
        if n_samples > longest_s * rate:
            break
        if n_samples > MAX_SAMPLES:
            raise UserError(
                "audio_unreadable",
                f"{path} is longer than a clip: it has more than {MAX_SAMPLES / rate / 60:.0f} minutes.",
                "Give it to ingest_audiobook, or cut it.",
            )
    if not n_samples:
        raise empty(path)
    return parts[0] if len(parts) == 1 else np.concatenate(parts), rate


def _blocks_by_libsndfile(path: Path) -> Iterator[tuple[Samples, int]]:
    """Yield samples and their rate, in blocks because the length that a header states may be any number."""
    with _open_sound(path) as sound:
        n_frames = BLOCK_SAMPLES // sound.channels
        n_read = n_frames
        while n_read == n_frames:  # another read, at the end, is slow in FLAC
            frames = sound.read(n_frames, dtype="float32", always_2d=True)
            n_read = len(frames)
            is_opposite = sound.channels == 2 and are_opposite(frames.T)
            samples: Samples = frames[:, 0].copy() if is_opposite else frames.mean(axis=1)
            yield samples, int(sound.samplerate)


@contextmanager
def _open_sound(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a file by number: of a name, soundfile takes ``.raw`` for samples without a header."""
    with open_regular(path) as stream, soundfile.SoundFile(stream.fileno(), closefd=False) as sound:
        if not MIN_RATE_HZ <= sound.samplerate <= MAX_RATE_HZ or sound.channels > MAX_CHANNELS:
            raise UserError(
                "audio_unreadable",
                f"{path} has {sound.samplerate:,} Hz and {sound.channels} channels; {MIN_RATE_HZ:,} to "
                f"{MAX_RATE_HZ:,} Hz and at most {MAX_CHANNELS} channels are read.",
                "Convert it to WAV of an ordinary rate first.",
            )
        yield sound


def write_clip(path: Path, samples: Samples, sample_rate_hz: int) -> None:
    """Write mono 16-bit WAV under a temporary name, then rename. Samples outside -1..1 are clipped."""
    # libsndfile hides why it could not write; the operating system says "no space left"
    write_bytes(path, encode_clip(samples, sample_rate_hz), sync=False)


def encode_clip(samples: Samples, sample_rate_hz: int) -> bytes:
    """Return samples as mono 16-bit WAV; those outside -1..1 are clipped."""
    encoded = io.BytesIO()
    soundfile.write(encoded, np.clip(samples, -1.0, 1.0), sample_rate_hz, subtype="PCM_16", format="WAV")
    return encoded.getvalue()


def fade_cut_ends(samples: Samples, at_start: bool, at_end: bool) -> Samples:
    """Return a copy, at 24 kHz, with a fade of 40 ms at each end that is cut within speech, to avoid a click."""
    samples = samples.copy()
    n_fade = min(int(FADE_S * CLIP_RATE_HZ), len(samples))
    ramp = np.linspace(0.0, 1.0, n_fade, dtype=np.float32)
    if at_start:
        samples[:n_fade] *= ramp
    if at_end and n_fade:
        samples[-n_fade:] *= ramp[::-1]
    return samples


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


def header_length_s(path: Path) -> float | None:
    """Return the seconds that a file's header names; None for formats that libsndfile does not read.

    Raises ``UserError``: ``audio_unreadable``, ``file_not_regular``.
    """
    try:
        with _open_sound(path) as sound:
            return float(sound.frames / sound.samplerate)
    except (soundfile.LibsndfileError, OSError):
        return None


def sample_rate_hz(path: Path) -> int:
    """Sample rate that a file's header names.

    Raises ``UserError``: ``audio_unreadable``, ``audio_no_stream``, ``audio_empty``.
    """
    try:
        with _open_sound(path) as sound:
            return int(sound.samplerate)
    except (soundfile.LibsndfileError, OSError):
        return probe(path).sample_rate_hz
