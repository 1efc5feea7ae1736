from __future__ import annotations

import numpy as np
import pytest

from jobs.audio.resampling import open_resample_stream, resample

NOISE = np.random.default_rng(0).normal(0, 0.1, 44_100).astype(np.float32)


@pytest.mark.parametrize("block", [441, 10_000, 44_100])
def test_a_stream_gives_the_samples_of_the_whole_in_any_blocks(block: int) -> None:
    stream = open_resample_stream(44_100, 16_000)

    parts = [stream.resample_chunk(NOISE[start : start + block]) for start in range(0, len(NOISE), block)]
    parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))

    joined = np.concatenate(parts)
    assert joined.dtype == np.float32
    np.testing.assert_allclose(joined, resample(NOISE, 44_100, 16_000), atol=1e-6)


def test_the_same_rate_changes_no_sample() -> None:
    assert np.array_equal(resample(NOISE, 24_000, 24_000), NOISE)
