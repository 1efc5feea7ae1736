"""Parts that are cut from a clip are bounded by its size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.dataset.audio_roots import AudioRoots
from jobs.dataset.corrections.cutting import ClipCutter
from jobs.dataset.manifest import Source
from jobs.dataset.write_budget import MOST_TIMES
from jobs.errors import UserError


def test_far_more_parts_than_a_clip_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.dataset.write_budget.ALWAYS_BYTES", 0)
    write_clip(tmp_path / "clip.wav", np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32), CLIP_RATE_HZ)
    place = Source(recording="book.m4b", start_s=10.0, end_s=11.0)
    cutter = ClipCutter(tmp_path, AudioRoots())

    def cut_all() -> None:
        for number in range(3 * MOST_TIMES):
            cutter.cut("clip.wav", place, Source(recording="book.m4b", start_s=10.0, end_s=10.8 + 0.001 * number))

    with pytest.raises(UserError) as refused:
        cut_all()

    assert refused.value.code == "limit_reached"
    assert MOST_TIMES < cutter.n_cut < 2 * MOST_TIMES
