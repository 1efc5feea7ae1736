"""Seconds of clips give the samples back; a cut within speech is faded."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.ingest_audiobook.output.clip_writer import fade_cut_ends, to_seconds


def test_seconds_give_the_sample_back() -> None:
    samples = np.random.default_rng(0).integers(0, 40 * 3600 * 24_000, 10_000)

    assert all(round(to_seconds(int(sample)) * 24_000) == sample for sample in samples)


def test_only_an_end_that_is_cut_in_speech_is_faded() -> None:
    tone = np.ones(24_000, np.float32)

    both, neither, start = (
        fade_cut_ends(tone, True, True),
        fade_cut_ends(tone, False, False),
        fade_cut_ends(tone, True, False),
    )

    assert (both[0], both[-1], both[960], both[480]) == (0.0, 0.0, 1.0, pytest.approx(0.5, abs=0.01))
    assert np.array_equal(neither, tone)
    assert (start[0], start[-1]) == (0.0, 1.0)
