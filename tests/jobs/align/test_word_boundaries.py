"""Edges go to the sound, and a border within a word is noticed."""

import numpy as np
import pytest

from jobs.align.word_boundaries import compute_levels_db, find_cut_words, fit_to_audio
from jobs.dataset.manifest import Word

RATE_HZ = 16_000


def sound(*parts: tuple[float, float]) -> np.ndarray:
    """Noise of the given (seconds, rms) parts, one after another."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(0, level, round(length * RATE_HZ)).astype(np.float32) for length, level in parts])


def word(start_s: float, end_s: float, text: str = "word") -> Word:
    return Word(word=text, start_s=start_s, end_s=end_s, score=0.7)


def times(words: list[Word]) -> list[tuple[float, float]]:
    return [(each.start_s, each.end_s) for each in words]


def test_edges_beside_a_pause_move_to_the_sound_with_ten_milliseconds_to_spare():
    levels = compute_levels_db(sound((0.3, 1e-4), (0.5, 0.1), (0.4, 1e-4)))

    fitted = fit_to_audio(levels, [word(0.0, 0.5), word(0.5, 1.2)])

    assert times(fitted) == [(0.29, 0.5), (0.5, 0.81)]


def test_edges_within_speech_stay_even_where_it_is_quiet():
    levels = compute_levels_db(sound((0.4, 0.1), (0.1, 1e-4), (0.4, 0.1)))

    fitted = fit_to_audio(levels, [word(0.0, 0.45), word(0.45, 0.9)])

    assert times(fitted) == [(0.0, 0.45), (0.45, 0.9)]


def test_a_word_in_silence_keeps_forty_milliseconds():
    levels = compute_levels_db(sound((0.5, 0.1), (0.5, 1e-4)))

    fitted = fit_to_audio(levels, [word(0.0, 0.5), word(0.6, 0.9)])

    assert fitted[1].end_s - fitted[1].start_s >= 0.04


@pytest.mark.parametrize(
    ("before_s", "after_s", "cut"),
    [(0.1, 0.1, (False, False)), (0.0, 0.1, (True, False)), (0.1, 0.0, (False, True)), (0.01, 0.01, (False, False))],
)
def test_a_clip_that_begins_or_ends_at_full_sound_cuts_a_word(before_s, after_s, cut):
    levels = compute_levels_db(sound((before_s, 1e-3), (1.0, 0.1), (after_s, 1e-3)))
    words = [word(before_s, before_s + 0.5, "first"), word(before_s + 0.5, before_s + 1.0, "last")]

    assert find_cut_words(levels, words) == cut
