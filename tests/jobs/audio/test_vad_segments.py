from __future__ import annotations

import numpy as np
import pytest

from jobs.audio.vad_segments import FRAME_S, Span, merged, padded, speech_spans


def frames(*runs: tuple[float, int]) -> np.ndarray:
    """Probabilities as (value, number of frames) runs."""
    return np.concatenate([np.full(n, value, np.float32) for value, n in runs])


def test_speech_ends_at_a_pause_of_300_ms_and_not_at_a_shorter_one() -> None:
    probabilities = frames((0.0, 10), (0.9, 30), (0.1, 8), (0.9, 30), (0.1, 9), (0.9, 20), (0.0, 5))

    spans = speech_spans(probabilities, max_span_s=20)

    assert [(round(span.start_s / FRAME_S), round(span.end_s / FRAME_S)) for span in spans] == [(10, 78), (87, 107)]


def test_a_dip_above_the_lower_threshold_is_still_speech() -> None:
    assert len(speech_spans(frames((0.9, 20), (0.4, 30), (0.9, 20)), max_span_s=20)) == 1


def test_long_speech_is_split_at_its_least_speech_frame_and_says_so() -> None:
    probabilities = frames((0.9, 60), (0.45, 1), (0.9, 60))

    spans = speech_spans(probabilities, max_span_s=100 * FRAME_S)

    assert [(span.cut_start, span.cut_end) for span in spans] == [(False, True), (True, False)]
    assert spans[0].end_s == spans[1].start_s == pytest.approx(60 * FRAME_S)


def test_pads_meet_in_the_middle_of_a_short_pause_and_stay_in_the_recording() -> None:
    spans = padded([Span(0.05, 1.0), Span(1.1, 2.0), Span(3.0, 3.95)], total_s=4.0)

    assert [(round(s.start_s, 3), round(s.end_s, 3)) for s in spans] == [(0.0, 1.05), (1.05, 2.1), (2.9, 4.0)]


def test_short_neighbours_are_merged_up_to_the_target_if_near() -> None:
    spans = [Span(0, 1), Span(1.2, 1.8), Span(2.1, 4), Span(4.2, 4.6), Span(5.4, 6)]

    groups = merged(spans, target_s=2.0, max_s=10, max_gap_s=0.5)

    assert groups == [[0, 1, 2], [3], [4]]


def test_nothing_is_merged_beyond_the_longest_clip_or_where_it_may_not_be() -> None:
    spans = [Span(0, 1.9), Span(2, 12), Span(12.1, 13), Span(13.1, 14)]

    groups = merged(spans, target_s=2.0, max_s=10, max_gap_s=0.5, may_join=[True, True, True, False])

    assert groups == [[0], [1], [2], [3]]
