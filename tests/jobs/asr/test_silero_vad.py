"""The network's state survives the borders of blocks."""

from __future__ import annotations

import numpy as np
from faster_whisper.vad import get_vad_model

from jobs.asr.silero_vad import FRAME_SAMPLES, StreamVad, speech_probabilities
from jobs.audio.clip_io import SPEECH_RATE_HZ, read_clip
from jobs.settings import PROJECT_ROOT


def test_uneven_blocks_give_the_probabilities_of_one_call_bit_for_bit() -> None:
    samples = read_clip(PROJECT_ROOT / "samples" / "fables.m4b", SPEECH_RATE_HZ)[: 20 * SPEECH_RATE_HZ + 77]
    n_frames = -(-len(samples) // FRAME_SAMPLES)
    padded = np.pad(samples, (0, n_frames * FRAME_SAMPLES - len(samples) + FRAME_SAMPLES))
    whole = get_vad_model()(padded).reshape(-1)[:n_frames]
    cuts = np.cumsum(np.random.default_rng(0).integers(1, 3000, 400))

    vad = StreamVad()
    streamed = np.concatenate(
        [*(vad.push(block) for block in np.split(samples, cuts[cuts < len(samples)])), vad.finish()]
    )

    assert np.array_equal(streamed, whole)
    assert np.array_equal(speech_probabilities(vad, samples, block_samples=10_000), whole)
    assert (whole > 0.5).any()
    assert (whole < 0.1).any()


def test_no_audio_has_no_frames() -> None:
    assert speech_probabilities(StreamVad(), np.zeros(0, np.float32)).shape == (0,)
