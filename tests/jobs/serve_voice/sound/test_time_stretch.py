"""Another tempo keeps the pitch, and does not depend on the parts in which sound comes."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.qwen.speech.sound import Samples
from jobs.serve_voice.sound.encoder import CONTENT_TYPES, SoundEncoder
from jobs.serve_voice.sound.time_stretch import TimeStretch

TONE_HZ = 220


def tone(seconds: float) -> Samples:
    at = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (0.3 * np.sin(2 * np.pi * TONE_HZ * at)).astype(np.float32)


def stretch(samples: Samples, speed: float, n_part: int) -> Samples:
    stretching = TimeStretch(speed)
    parts = [stretching.stretch(samples[first : first + n_part]) for first in range(0, len(samples), n_part)]
    return np.concatenate([*parts, stretching.end()])


@pytest.mark.parametrize("speed", [0.25, 0.4, 0.8, 1.25, 2.0, 3.0, 4.0])
def test_a_tone_keeps_its_pitch_and_level_at_another_length(speed: float) -> None:
    samples = tone(3)

    found = stretch(samples, speed, len(samples))
    in_parts = stretch(samples, speed, 1920)

    loudest = np.argmax(np.abs(np.fft.rfft(found * np.hanning(len(found))))) * SAMPLE_RATE_HZ / len(found)
    assert len(found) * speed == pytest.approx(len(samples), rel=0.01)
    assert loudest == pytest.approx(TONE_HZ, abs=1)
    assert np.abs(found).max() == pytest.approx(0.3, abs=0.01)
    assert np.array_equal(found, in_parts)


def test_nothing_becomes_nothing() -> None:
    assert len(stretch(tone(0), 2.0, 10)) == 0


@pytest.mark.parametrize("name", sorted(CONTENT_TYPES))
@pytest.mark.parametrize("is_whole", [True, False])
def test_a_take_without_sound_ends_without_an_error(name: str, is_whole: bool) -> None:
    content = SoundEncoder(name, is_whole=is_whole).end()

    assert len(content) == (44 if name == "wav" else len(content))
    assert name not in ("pcm",) or content == b""
