"""Bootstrap intervals of a mean and of a difference between two sets of ratings."""

import pytest

from jobs.rating.confidence_interval import difference, interval_by_difference, interval_of_mean


def test_a_difference_is_taken_by_text_so_that_hard_texts_fall_out() -> None:
    easy_and_hard = {"a": [4.8, 4.8], "b": [1.2, 1.2], "c": [3.0, 3.0]}
    a_little_better = {text: [take + 0.2 for take in takes] for text, takes in easy_and_hard.items()}

    found = difference(a_little_better, easy_and_hard)

    assert (found.low, found.mean, found.high) == pytest.approx((0.2, 0.2, 0.2))
    assert found.is_gain
    low, high = interval_by_difference(easy_and_hard)
    assert low < 2 < 4 < high


def test_of_one_take_nothing_is_known_but_a_small_step_is_no_gain() -> None:
    assert not difference({"a": [3.04]}, {"a": [3.0]}).is_gain
    assert difference({"a": [3.2]}, {"a": [3.0]}).is_gain


def test_stored_intervals_stay_the_same_to_the_digit() -> None:
    scores = {"a": [4.8, 4.1], "b": [1.2, 1.9], "c": [3.0, 3.4]}

    assert interval_of_mean(scores) == (1.55, 4.333)
    assert interval_by_difference(scores) == (1.55, 4.45)
