"""DistillMOS as a gate; skipped where its package is not installed."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ, Samples
from jobs.audio.resampling import resample
from jobs.rating.instruments.distill_mos import DISTILL_MOS, SEGMENT, DistillMos
from jobs.rating.instruments.instrument import fit_reference
from tests.support.damage.speech import FABLES, frames_dropped, recordings
from tests.support.damage.subtle import ring_modulation, tremolo

pytestmark = pytest.mark.skipif(not DistillMos.is_installed(), reason="the package distillmos is not installed")
(CHECK,) = DISTILL_MOS.checks


def speech(audio: Samples) -> Samples:
    """Audio as the judges hear it."""
    return resample(audio, CLIP_RATE_HZ, SPEECH_RATE_HZ)


def test_damage_is_beyond_the_limit_that_the_voices_own_clips_give(capsys: pytest.CaptureFixture[str]) -> None:
    gate, clips = DistillMos(), [clip.audio for clip in recordings(FABLES)[:8]]
    own = [[gate.predict(speech(clip))] for clip in clips]
    reference = fit_reference(CHECK, own[:6], 5)

    assert reference is not None
    assert all(CHECK.distance(values, list(reference.own)) < reference.limit for values in own)
    for damage in (frames_dropped, ring_modulation(200), tremolo(30)):
        found = [gate.predict(speech(damage(clips[6])))]
        assert found[0] < own[6][0] - 0.3
    assert [gate.predict(speech(clips[0]))] == own[0]
    assert capsys.readouterr().out == ""


def test_the_middle_of_a_long_clip_is_judged_and_a_short_one_as_it_is() -> None:
    gate, clip = DistillMos(), speech(recordings(FABLES)[0].audio)
    quiet = np.zeros(SEGMENT, np.float32)
    middle = np.resize(clip, SEGMENT).astype(np.float32)

    assert gate.predict(np.concatenate([quiet, middle, quiet])) == gate.predict(middle)
    assert 1 <= gate.predict(clip[: SPEECH_RATE_HZ // 2]) <= 5
