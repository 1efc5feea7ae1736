"""Near-sounding words and small words too many or too few are heard; what is read as it is written stays."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.asr.pocketsphinx_asr import Recogniser
from jobs.asr.rivals.readings import MIN_EVIDENCE, find_rival_readings
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ
from jobs.audio.resampling import resample
from jobs.text.english_normalization import spoken_words


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


def readings(recogniser: Recogniser, clip: np.ndarray, text: str) -> list[tuple[str, str]]:
    """Return what the text has and what is heard instead, where that is sure."""
    audio, words = resample(clip, CLIP_RATE_HZ, SPEECH_RATE_HZ), spoken_words(text)
    own = recogniser.fit(audio, words)
    assert own is not None
    return [
        (" ".join(words[each.first : each.last]), " ".join(each.heard))
        for each in find_rival_readings(recogniser, audio, words, own)
        if each.evidence > MIN_EVIDENCE
    ]


def test_no_other_word_is_heard_in_what_is_read_as_written(
    recogniser: Recogniser, fables: list[tuple[str, np.ndarray]]
) -> None:
    assert [found for text, clip in fables if (found := readings(recogniser, clip, text))] == []


@pytest.mark.parametrize(
    ("number", "said", "written"),
    [(2, "pushed", "pushes"), (3, "fall", "fail")],
)
def test_a_near_sounding_word_is_heard(
    recogniser: Recogniser, fables: list[tuple[str, np.ndarray]], number: int, said: str, written: str
) -> None:
    text, clip = fables[number]

    found = readings(recogniser, clip, text.replace(said, written))

    assert [ours for ours, _ in found] == [written]
