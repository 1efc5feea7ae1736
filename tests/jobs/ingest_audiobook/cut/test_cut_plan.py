"""Clips are cut where a sentence ends and a pause is; else at a clause, else at another pause, never within a word."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.ingest_audiobook.cut.clip_candidates import ClipLimits
from jobs.ingest_audiobook.cut.cut_plan import Break, Gap, plan_cuts
from tests.support.hostile.limits import assert_linear

LIMITS = ClipLimits(min_s=3.0, target_s=8.0, max_s=15.0, max_gap_s=1.5, pad_s=0.15)


def words_of_a_second(*after: tuple[float, Break]) -> list[Gap]:
    """Gaps around words of one second, by the pause after each word and what ends there."""
    gaps, at = [Gap(0.0, 1.0)], 1.0
    for pause_s, ends in after:
        gaps.append(Gap(at + 1.0, at + 1.0 + pause_s, ends))
        at += 1.0 + pause_s
    return gaps


def lengths(gaps: Sequence[Gap], clips: Sequence[tuple[int, int]], limits: ClipLimits = LIMITS) -> list[float]:
    return [gaps[end].clip_end_s(limits.pad_s) - gaps[first].clip_start_s(limits.pad_s) for first, end in clips]


def test_short_sentences_are_joined_to_the_wanted_length() -> None:
    gaps = words_of_a_second(*[(0.0, "none"), (0.5, "sentence")] * 8)

    clips = plan_cuts(gaps, LIMITS)

    assert all(end % 2 == 0 for _, end in clips)
    assert all(5.0 < length < 11.0 for length in lengths(gaps, clips))


def test_a_sentence_that_fits_is_not_cut_at_its_clauses() -> None:
    gaps = words_of_a_second(*[(0.0, "none"), (0.4, "clause")] * 4, (0.0, "none"), (0.6, "sentence"))

    assert plan_cuts(gaps, LIMITS) == [(0, 10)]


def test_a_sentence_over_the_limit_is_cut_at_the_clause_with_the_longer_pause() -> None:
    pauses = [0.0] * 20
    pauses[8], pauses[10], pauses[12] = 0.3, 0.6, 0.3
    gaps = words_of_a_second(*[(pause, "clause" if pause else "none") for pause in pauses])

    assert plan_cuts(gaps, LIMITS) == [(0, 11), (11, 20)]


def test_a_mark_without_a_pause_is_no_place_to_cut() -> None:
    gaps = words_of_a_second(*[(0.0, "none")] * 9, (0.01, "sentence"), (0.3, "none"), *[(0.0, "none")] * 8)

    assert plan_cuts(gaps, LIMITS) == [(0, 11), (11, 19)]


def test_spoken_words_of_one_written_word_stay_together() -> None:
    gaps = words_of_a_second(*[(0.3, "none")] * 20)
    inside = [Gap(gap.from_s, gap.to_s, gap.ends, may_cut=k in (0, 4, 20)) for k, gap in enumerate(gaps)]

    assert plan_cuts(inside, LIMITS) == [(0, 4), (4, 20)]  # longer than a clip may be: rejected, never cut


def test_a_clip_has_the_silence_of_a_pause_up_to_its_middle() -> None:
    gap = Gap(2.0, 2.2)

    assert (gap.clip_end_s(0.15), gap.clip_start_s(0.15)) == pytest.approx((2.1, 2.1))
    assert (Gap(2.0, 3.0).clip_end_s(0.15), Gap(2.0, 3.0).clip_start_s(0.15)) == pytest.approx((2.15, 2.85))


def test_ten_thousand_words_take_linear_time() -> None:
    assert_linear(lambda n: plan_cuts(words_of_a_second(*[(0.2, "none")] * n), LIMITS), 2_500)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1.5), st.sampled_from(["sentence", "clause", "none"])), min_size=1, max_size=60))
def test_every_word_is_in_one_clip_and_no_clip_is_too_long(after: list[tuple[float, Break]]) -> None:
    gaps = words_of_a_second(*after)

    clips = plan_cuts(gaps, LIMITS)

    assert clips[0][0] == 0
    assert clips[-1][1] == len(after)
    assert all(left[1] == right[0] for left, right in itertools.pairwise(clips))
    assert max(lengths(gaps, clips)) <= LIMITS.max_s
