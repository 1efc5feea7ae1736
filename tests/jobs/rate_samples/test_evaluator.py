"""Features and ratings of single takes, from given measurements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jobs.audio.acoustic_features import Prosody
from jobs.dataset.takes import Take
from jobs.rate_samples.evaluator import build_rating
from jobs.rate_samples.inputs import RatingItem
from jobs.rating.measurements import Measurements, Timbre
from jobs.rating.narrator_clips import build_features
from jobs.rating.rating_types import Fault, Verdict
from jobs.speaker.narrator_profile import LengthScores, RatingProfile

PROFILE = RatingProfile(
    n_clips=10,
    language="english",
    own=(LengthScores(7.0, 0.96, 3.3, 4.0),),
    speaking_rate=10.0,
    rate_unit="phones/s",
    longest_pause_s=0.3,
)
SOUND = Prosody(duration_s=3.0, level_dbfs=-20.0, is_silent=False)
VOICE = np.array([1.0, 0.0], np.float32)
VERDICT = Verdict(4.5, 4.8, (Fault("pitch", "high", 3.2), Fault("short", "short", 5.0)), 0.9, None, 1.0, 1.0)


def item(language: str = "english") -> RatingItem:
    return RatingItem(Take(audio="001.wav", text="hello", take=2, hit_limit=True), Path("001.wav"), "anna", language)


def test_features_compare_voice_and_rate_with_the_narrator() -> None:
    timbre = Timbre(embedding=[0.9, 0.1], ovrl=3.1, p808=3.9)
    measured = Measurements(prosody=SOUND, timbre=timbre, n_words=7, speaking_rate=11.0, wer=0.1, aligns=True)

    features = build_features(measured, PROFILE, VOICE, language="english", hit_limit=True)

    assert features.sim == pytest.approx(0.9)
    assert (features.ovrl, features.speaking_rate, features.wer, features.hit_limit) == (3.1, 11.0, 0.1, True)
    assert build_features(measured, PROFILE, VOICE, language="german", hit_limit=False).speaking_rate is None


def test_a_silent_take_has_the_lowest_features() -> None:
    features = build_features(Measurements(prosody=SOUND), PROFILE, VOICE, language="english", hit_limit=False)

    assert (features.sim, features.ovrl, features.p808) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize(("scores", "rating", "person"), [([], 4.5, None), ([5, 4], 4.5, 4.5), ([5], 4.8, 5.0)])
def test_only_people_lift_the_cap_of_a_take(scores: list[int], rating: float, person: float | None) -> None:
    features = build_features(Measurements(prosody=SOUND), PROFILE, VOICE, language="english", hit_limit=False)

    found = build_rating(features, VERDICT, item(), "hello", scores)

    assert (found.rating, found.uncapped, found.person, found.n_person) == (rating, 4.8, person, len(scores))
    assert (found.faults, found.reasons) == (["pitch"], ["high", "short"])
    assert (found.narrator, found.take, found.measures["duration_s"]) == ("anna", 2, 3.0)
