"""The search finds the frames that say the characters."""

import numpy as np
import pytest

from jobs.asr.ctc_alignment import character_spans

BLANK, A, B = 0, 1, 2


def emission(*labels: int) -> np.ndarray:
    """Frames that say these labels, with probability 0.9 each."""
    return np.log(np.array([[0.9 if label == said else 0.05 for label in range(3)] for said in labels], np.float32))


def test_a_character_lasts_from_its_frame_to_the_next_ones():
    spans = character_spans(emission(BLANK, A, BLANK, BLANK, B, BLANK), [A, B], BLANK)

    assert [(span.start, span.end) for span in spans] == [(1, 4), (4, 5)]
    np.testing.assert_allclose([span.score for span in spans], [0.9, 0.9], rtol=1e-5)


def test_a_doubled_character_is_found_twice():
    spans = character_spans(emission(A, BLANK, A, BLANK), [A, A], BLANK)

    assert [(span.start, span.end) for span in spans] == [(0, 2), (2, 3)]


def test_a_character_that_is_not_there_gets_a_low_score():
    spans = character_spans(emission(BLANK, A, A, BLANK), [A, B], BLANK)

    assert spans[1].score < 0.1


def test_more_characters_than_frames_have_no_alignment():
    assert character_spans(emission(A, B), [A, B, A], BLANK) is None


def test_as_many_characters_as_frames_fill_them():
    spans = character_spans(emission(A, B, A), [A, B, A], BLANK)

    assert [(span.start, span.end) for span in spans] == [(0, 1), (1, 2), (2, 3)]


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_network_that_answers_with_no_numbers_has_no_path(value):
    assert character_spans(np.full((6, 3), value, np.float32), [A, B], BLANK) is None
