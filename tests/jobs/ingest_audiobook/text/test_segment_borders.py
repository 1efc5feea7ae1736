"""Borders of given segments in speech: which pause they are moved to, and when none is sure."""

from __future__ import annotations

import pytest

from jobs.audio.vad_segments import PAD_S
from jobs.ingest_audiobook.text.segment_borders import Pauses


def pauses(*speech: tuple[float, float]) -> Pauses:
    inf = float("inf")
    return Pauses([-inf, *(end for _, end in speech)], [*(start for start, _ in speech), inf])


@pytest.mark.parametrize(
    ("second_word_at", "start", "end"),
    [
        (1.60, 1.00 - PAD_S, 0.50 + PAD_S),  # the pause before the word is much longer: the word is the next segment's
        (2.40, 2.40 - PAD_S, 1.45 + PAD_S),  # the pause after it is
        (2.00, None, None),  # either may be
    ],
)
def test_a_word_between_two_near_pauses_goes_with_the_side_of_the_shorter(
    second_word_at: float, start: float | None, end: float | None
) -> None:
    found = pauses((0.0, 0.5), (1.0, 1.45), (second_word_at, 5.0))

    # nearer to the end of the word, so that the nearest pause is always the one after it
    assert found.start_near(1.3) == (start if start is None else pytest.approx(start, abs=PAD_S + 1e-6))
    assert found.end_near(1.3) == (end if end is None else pytest.approx(end, abs=PAD_S + 1e-6))


def test_a_border_near_one_pause_is_moved_there_and_one_within_long_speech_is_refused() -> None:
    found = pauses((1.0, 5.0), (6.0, 9.0))

    assert found.start_near(1.3) == pytest.approx(1.0, abs=PAD_S + 1e-6)
    assert found.end_near(4.8) == pytest.approx(5.0, abs=PAD_S + 1e-6)
    assert found.start_near(4.8) == pytest.approx(6.0, abs=PAD_S + 1e-6)
    assert found.start_near(3.0) is None
    assert found.end_near(5.5) == 5.5


def test_borders_in_the_only_word_of_a_chunk_are_moved_around_it() -> None:
    found = pauses((1.0, 1.6))

    assert found.start_near(1.1) == pytest.approx(1.0, abs=PAD_S + 1e-6)
    assert found.end_near(1.5) == pytest.approx(1.6, abs=PAD_S + 1e-6)
