"""Known words found in the sample audiobook's robot voice."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.asr.pocketsphinx_asr import Recogniser, bigram_model
from jobs.audio.clip_io import CLIP_RATE_HZ, SPEECH_RATE_HZ
from jobs.audio.resampling import resample
from jobs.text.english_normalization import spoken_words


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


@pytest.fixture(scope="module")
def said(fables: list[tuple[str, np.ndarray]]) -> list[tuple[list[str], np.ndarray]]:
    """Words and 16 kHz samples of the first six sentences."""
    return [(spoken_words(text), resample(clip, CLIP_RATE_HZ, SPEECH_RATE_HZ)) for text, clip in fables[:6]]


def test_every_word_gets_a_time_in_order_and_a_score(recogniser: Recogniser, said) -> None:
    words, audio = said[0]

    found = recogniser.align(audio, words)

    assert found is not None
    assert [word.word for word in found] == words
    times = [time for word in found for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert 0 < times[0] < 0.3
    assert len(audio) / SPEECH_RATE_HZ - 0.3 < times[-1] <= len(audio) / SPEECH_RATE_HZ
    assert all(0 < word.score <= 1 for word in found)


def test_results_do_not_depend_on_what_was_heard_before(recogniser: Recogniser, said) -> None:
    forwards = [recogniser.align(audio, words) for words, audio in said]
    backwards = [recogniser.align(audio, words) for words, audio in reversed(said)]
    text = [word for words, _ in said for word in words]
    decoder = recogniser.for_text(text)
    heard = [decoder.recognise(audio) for _, audio in said]

    assert forwards == backwards[::-1]
    assert [recogniser.for_text(text).recognise(audio) for _, audio in said] == heard


def test_the_right_text_is_heard_among_others(recogniser: Recogniser, said) -> None:
    decoder = recogniser.for_text([word for words, _ in said for word in words])

    heard = [decoder.recognise(audio) for _, audio in said]

    assert sum(h == words for h, (words, _) in zip(heard, said, strict=True)) >= 5


def test_the_right_text_scores_above_other_and_shorter_ones(recogniser: Recogniser, said) -> None:
    for number, (words, audio) in enumerate(said):
        right = recogniser.forced_score(audio, words)
        others = [other for k, (other, _) in enumerate(said) if k != number] + [words[: len(words) // 2]]

        assert right is not None
        assert all((recogniser.forced_score(audio, other) or -1e9) < right for other in others)


def test_words_of_no_dictionary_are_aligned_too(recogniser: Recogniser, said) -> None:
    words, audio = said[0]

    found = recogniser.align(audio, ["ay", "thurstee", *words[2:]])

    assert found is not None
    assert found[1].word == "thurstee"


def test_silence_and_no_words_give_no_alignment(recogniser: Recogniser) -> None:
    assert recogniser.align(np.zeros(16_000, np.float32), []) is None
    assert recogniser.align(np.zeros(0, np.float32), ["a"]) is None
    assert recogniser.for_text(["a", "crow"]).recognise(np.zeros(0, np.float32)) == []


def test_phones_are_the_dictionarys(recogniser: Recogniser) -> None:
    assert recogniser.phones(["thirsty", "crow"]) == ["TH", "ER", "S", "T", "IY", "K", "R", "OW"]


def test_the_language_model_holds_each_pair_of_words_once() -> None:
    model = bigram_model(["a", "crow", "a", "crow"], ["a", "crow", "tree"])

    assert "ngram 1=5" in model
    assert "ngram 2=4" in model  # <s> a, a crow, crow a, crow </s>
    assert len([line for line in model.splitlines() if line.endswith(" a crow")]) == 1
