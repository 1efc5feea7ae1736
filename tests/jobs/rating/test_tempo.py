"""Pauses between aligned words, by where the text has its marks."""

from __future__ import annotations

import pytest

from jobs.asr.pocketsphinx_asr import AlignedWord, Recogniser
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ
from jobs.audio.resampling import resample
from jobs.rating.instruments.tempo import PAUSE_AT_MARKS, measure_pauses, rate_limits
from jobs.text.english_normalization import spoken_words
from tests.support.damage.speech import FABLES, Spoken, recordings
from tests.support.damage.subtle import paused


def aligned(text: str, pauses_s: dict[int, float]) -> list[AlignedWord]:
    """Words of 0.3 s each; ``pauses_s`` lie after the words of these numbers."""
    found, at_s = [], 0.1
    for number, word in enumerate(spoken_words(text)):
        found.append(AlignedWord(word, at_s, at_s + 0.3, 0.7, -100.0))
        at_s += 0.3 + pauses_s.get(number, 0.0)
    return found


def test_pauses_are_divided_by_the_marks_of_the_text() -> None:
    text = "She bit the knots, until the net fell off; then they ran."
    measured = measure_pauses(text, aligned(text, {3: 0.4, 5: 0.7, 8: 0.2}))

    assert measured == {"pause_in_phrase": [0.7], "choppy": [round(1 / 9, 4)], PAUSE_AT_MARKS: [0.3]}


def test_a_quotation_a_dash_and_a_number_are_understood() -> None:
    text = "He answered 'This is it\" in 1455 - a year of change"
    measured = measure_pauses(text, aligned(text, {1: 0.5, 4: 0.3, 8: 0.4}))

    assert (measured["pause_in_phrase"], measured[PAUSE_AT_MARKS]) == ([0.0], [pytest.approx(0.4)])


def test_a_text_of_one_phrase_has_no_pause_at_marks() -> None:
    assert measure_pauses("one two three", aligned("one two three", {}))[PAUSE_AT_MARKS] == []
    assert measure_pauses("one", aligned("one", {})) == {"pause_in_phrase": [], "choppy": [], PAUSE_AT_MARKS: []}


def test_a_pause_put_between_two_words_of_a_recording_is_found() -> None:
    clip = recordings(FABLES)[0]
    recogniser = Recogniser()

    def longest_s(spoken: Spoken) -> float:
        fit = recogniser.fit(resample(spoken.audio, CLIP_RATE_HZ, SPEECH_RATE_HZ), spoken_words(spoken.text))
        assert fit is not None
        return measure_pauses(spoken.text, fit.words)["pause_in_phrase"][0]

    assert longest_s(clip) == 0.0
    assert longest_s(paused([clip], pause_s=0.8, every=99, seed=1)[0]) == pytest.approx(0.8, abs=0.15)


def test_limits_of_the_rate_without_a_narrators_spread_are_the_general_ones() -> None:
    assert rate_limits({}, is_short=False) == (0.74, 1.25)
    assert rate_limits({}, is_short=True) == (0.62, 1.40)
