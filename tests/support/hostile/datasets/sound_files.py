"""A short WAV for hostile datasets."""

import wave
from collections.abc import Callable
from pathlib import Path

Builder = Callable[[Path], Path]
RATE_HZ = 16_000
SOUND = b"\x00\x20\x00\xe0" * RATE_HZ  # 2 s of a tone, 16 bit


def write_wav(path: Path, content: bytes = SOUND, n_channels: int = 1) -> Path:
    """Write a WAV of 16 bit and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(n_channels)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        sound.writeframes(content)
    return path
