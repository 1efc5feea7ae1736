"""A voice that speaks noise or another text does not excuse itself by its own usual."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.asr.wer import distractors
from jobs.audio.clip_io import CLIP_RATE_HZ, write_clip
from jobs.narrate.speech.judge import Judge, judge_by_usual
from jobs.rating.judge_models import JudgeModels, SpeakerModel
from jobs.rating.measurements import ClipAnalyzer, Measurements
from jobs.speaker.narrator_profile import MIN_PROFILE_CLIPS
from jobs.text.english_normalization import spoken_words
from tests.support.damage.speech import FABLES, recordings


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Measurements], list[Measurements]]:
    """Sentences of the sample measured with their own texts, and with those of others."""
    single = recordings(FABLES)[: 2 * MIN_PROFILE_CLIPS + 2]
    pairs = list(zip(single[::2], single[1::2], strict=True))  # long enough for their words to count
    texts = [f"{one.text} {two.text}" for one, two in pairs]
    folder = tmp_path_factory.mktemp("takes")
    analyzer = ClipAnalyzer(distractors([spoken_words(text) for text in texts]), JudgeModels(SpeakerModel(), None))
    right, wrong = [], []
    for number, (one, two) in enumerate(pairs):
        path = folder / f"{number}.wav"
        write_clip(path, np.concatenate([one.audio, two.audio]), CLIP_RATE_HZ)
        right.append(analyzer.measure(path, texts[number], "english"))
        wrong.append(analyzer.measure(path, texts[number - 3], "english"))
    return right, wrong


def test_takes_that_all_speak_another_text_are_doubtful(takes: tuple[list[Measurements], list[Measurements]]) -> None:
    right, wrong = takes
    judge, by_right = judge_by_usual(wrong, "english"), judge_by_usual(right, "english")

    assert judge == Judge("english")  # nothing usual is known
    assert by_right.profile is not None
    for judges in (judge, by_right):
        found = [judges.judge(take, hit_limit=False) for take in wrong]
        assert max(one.rating for one in found) <= 2
        assert all("text" in one.reasons[0] for one in found)
    assert min(by_right.judge(take, hit_limit=False).rating for take in right) >= 4
