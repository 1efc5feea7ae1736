"""Part of a recording and some of its channels, read by our own decoders, in bounded memory."""

from pathlib import Path

import numpy as np
import soundfile

from jobs.audio.recording import Recording, Samples
from jobs.dataset.manifest import RejectionError
from jobs.errors import UserError
from jobs.files.reading import open_regular

MOST_VALUES = 50_000_000  # 120 s of two channels at 192 kHz
MISSING_S = 0.025  # a part may lack at its end, by rounding


def read_part(
    path: Path, start_s: float, duration_s: float, columns: list[int], n_channels: int
) -> tuple[Samples, int]:
    """Read ``columns`` of a recording that should have ``n_channels``: float32, shape (n, columns), and their rate.

    Formats that libsndfile does not read give the mean of all channels, shape (n, 1), and no others.

    Raises:
        RejectionError: ``unreadable``, ``too_long``, ``empty``.
    """
    try:
        with open_regular(path) as stream, soundfile.SoundFile(stream.fileno(), closefd=False) as sound:
            rate_hz = int(sound.samplerate)
            if sound.channels != n_channels:
                raise RejectionError("unreadable", f"{path} has {sound.channels} channels, not {n_channels}")
            first, n = _place(start_s, duration_s, rate_hz, n_channels)
            if first < sound.frames:
                sound.seek(first)
                samples: Samples = sound.read(n, dtype="float32", always_2d=True)[:, columns]
            else:
                samples = np.zeros((0, len(columns)), np.float32)
    except (soundfile.LibsndfileError, RuntimeError):
        samples, rate_hz = _read_mean(path, start_s, duration_s, columns, n_channels)
    except UserError as error:
        raise RejectionError("unreadable", error.message) from error
    except OSError as error:
        raise RejectionError("unreadable", f"{path}: {error.strerror}") from error
    if not len(samples):
        raise RejectionError("empty", f"{path} has no audio at {start_s:.2f} s")
    missing_s = duration_s - len(samples) / rate_hz
    if missing_s > MISSING_S:
        raise RejectionError("unreadable", f"{path} ends {missing_s:.2f} s before the cut does")
    return samples, rate_hz


def _read_mean(
    path: Path, start_s: float, duration_s: float, columns: list[int], n_channels: int
) -> tuple[Samples, int]:
    if len(columns) != n_channels:
        raise RejectionError("unreadable", f"{path}: single channels of this format cannot be read")
    try:
        recording = Recording(path)
        rate_hz = recording.info.sample_rate_hz
        first, n = _place(start_s, duration_s, rate_hz, recording.info.n_channels)
        blocks = [block.samples for block in recording.blocks(first, first + n)]
    except UserError as error:
        raise RejectionError("unreadable", error.message) from error
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    return samples[:, None], rate_hz


def _place(start_s: float, duration_s: float, rate_hz: int, n_channels: int) -> tuple[int, int]:
    n = round(duration_s * rate_hz)
    if n * n_channels > MOST_VALUES:
        raise RejectionError("too_long", f"{duration_s:.2f} s of {n_channels} channels at {rate_hz} Hz")
    return round(start_s * rate_hz), n
