"""The speaker encoder on a synthetic voice, and its arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.audio.resampling import resample
from jobs.speaker.encoders import SpeakerEncoder
from jobs.speaker.similarity import centroid, leave_one_out


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    return SpeakerEncoder()


def test_one_voice_is_nearer_to_itself_than_to_its_raised_copy(
    encoder: SpeakerEncoder, fables: list[tuple[str, np.ndarray]]
) -> None:
    clips = [resample(audio, 24_000, 16_000) for _, audio in fables[1:7]]
    raised = resample(fables[7][1], 32_000, 16_000)  # a third higher and faster: another throat
    voice = centroid(encoder.embed(clip) for clip in clips)

    own = float(encoder.embed(resample(fables[7][1], 24_000, 16_000)) @ voice)
    other = float(encoder.embed(raised) @ voice)

    assert own > 0.86
    assert other < own - 0.1


def test_an_embedding_is_a_unit_vector_that_does_not_depend_on_level(
    encoder: SpeakerEncoder, fables: list[tuple[str, np.ndarray]]
) -> None:
    clip = resample(fables[2][1], 24_000, 16_000)

    embedding, quiet = encoder.embed(clip * 0.02), encoder.embed(clip * 0.01)

    assert embedding.shape == (256,)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    assert float(embedding @ quiet) == pytest.approx(1, abs=1e-4)


def test_a_clip_shorter_than_a_window_is_embedded(encoder: SpeakerEncoder) -> None:
    assert encoder.embed(np.zeros(800, np.float32)).shape == (256,)


def test_leave_one_out_does_not_compare_a_clip_with_itself() -> None:
    x, y = np.array([1, 0, 0], np.float32), np.array([0, 1, 0], np.float32)

    assert leave_one_out([x, x, y]) == pytest.approx([0.7071, 0.7071, 0.0], abs=1e-3)
