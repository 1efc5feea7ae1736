"""Words of a text that are recognised, by the real recogniser on synthetic speech."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.asr.pocketsphinx_asr import Recogniser
from jobs.asr.wer import N_DISTRACTORS, distractors, heard_words, word_error_rate
from jobs.audio.resampling import resample
from jobs.text.english_normalization import spoken_words


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


def test_the_right_text_is_heard_and_another_one_is_not(
    recogniser: Recogniser, fables: list[tuple[str, np.ndarray]]
) -> None:
    (right, audio), (wrong, _) = fables[3], fables[4]
    speech = resample(audio, 24_000, 16_000)
    others = distractors(spoken_words(text) for text, _ in fables)

    rates = {
        text: word_error_rate(spoken_words(text), heard_words(recogniser, speech, spoken_words(text), others))
        for text in (right, wrong)
    }

    assert rates[right] <= 0.2
    assert rates[wrong] >= 0.6


def test_audio_over_a_minute_is_heard_in_pieces(recogniser: Recogniser, fables: list[tuple[str, np.ndarray]]) -> None:
    pause = np.zeros(12_000, np.float32)
    chosen = [fables[number % len(fables)] for number in range(20)]
    audio = np.concatenate([part for _, clip in chosen for part in (clip, pause)])
    words = [word for text, _ in chosen for word in spoken_words(text)]
    assert len(audio) > 61 * 24_000

    heard = heard_words(recogniser, resample(audio, 24_000, 16_000), words, [])

    assert word_error_rate(words, heard) <= 0.2


def test_word_error_rate_counts_insertions_too() -> None:
    assert word_error_rate(["a", "b"], ["a", "b"]) == 0
    assert word_error_rate(["a", "b"], ["a", "x", "y", "z"]) == 1.5
    assert word_error_rate(["a", "b"], []) == 1


def test_distractors_hold_the_other_texts_words_and_enough_common_ones() -> None:
    words = distractors([["zebra", "the"], ["yonder"]])

    assert {"zebra", "yonder", "the", "water"} <= set(words)
    assert len(words) == len(set(words))
    assert 300 <= len(words) <= N_DISTRACTORS
