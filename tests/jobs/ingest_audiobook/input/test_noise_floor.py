"""A clip's background is the recording's pauses near it, not its intro and not the music of a later scene."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ
from jobs.ingest_audiobook.input.speech_chunks import SpeechChunk
from jobs.ingest_audiobook.output.clip_writer import NoiseFloor

FRAME = 768  # samples at 24 kHz, 32 ms


def chunk(*parts: tuple[float, bool, float]) -> SpeechChunk:
    """Of (seconds, whether it is speech, level in dBFS)."""
    random = np.random.default_rng(3)
    samples, probabilities = [], []
    for length_s, is_speech, level_db in parts:
        n_frames = round(length_s / 0.032)
        samples.append(random.normal(scale=10 ** (level_db / 20), size=n_frames * FRAME))
        probabilities.append(np.full(n_frames, 0.9 if is_speech else 0.1))
    audio = np.concatenate(samples).astype(np.float32)
    return SpeechChunk(None, 0, audio, audio[::2], np.concatenate(probabilities).astype(np.float32))


def at(seconds: float) -> int:
    return round(seconds * CLIP_RATE_HZ)


def test_the_level_is_that_of_the_pauses_and_not_of_the_intro() -> None:
    speech = [(4.0, True, -20.0), (0.5, False, -60.0)] * 4
    noise_floor = NoiseFloor(chunk((9.0, False, -25.0), *speech))

    assert noise_floor.measure(at(9.0), at(13.0)) == {"pause_dbfs": pytest.approx(-60.0, abs=0.3)}


def test_the_pauses_near_the_clip_count_and_not_those_of_a_later_scene() -> None:
    calm, scene = [(4.0, True, -20.0), (0.5, False, -60.0)] * 4, [(4.0, True, -20.0), (0.5, False, -40.0)] * 12
    noise_floor = NoiseFloor(chunk(*calm, *scene))

    assert noise_floor.measure(0, at(4.0)) == {"pause_dbfs": pytest.approx(-60.0, abs=0.3)}
    assert noise_floor.measure(at(60.0), at(64.0)) == {"pause_dbfs": pytest.approx(-40.0, abs=0.3)}


def test_a_clip_without_pauses_near_it_is_compared_with_those_of_the_chunk() -> None:
    noise_floor = NoiseFloor(chunk((0.5, False, -55.0), (40.0, True, -20.0)))

    assert noise_floor.measure(at(30.0), at(34.0)) == {"pause_dbfs": pytest.approx(-55.0, abs=0.3)}


def test_without_pauses_nothing_is_said_and_digital_silence_has_a_level() -> None:
    assert NoiseFloor(chunk((5.0, True, -20.0))).measure(0, at(5.0)) == {}
    assert NoiseFloor(chunk((2.0, True, -20.0), (1.0, False, -200.0))).measure(0, at(2.0)) == {"pause_dbfs": -80.0}
