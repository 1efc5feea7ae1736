"""Limit of a take's length: three times the narrator's own pace for its text."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.qwen.speech.take_length import longest_take_s, measure_rates, read_rates


@pytest.mark.parametrize(
    ("text", "rate", "seconds"),
    [
        ("one two three four five", None, 9.0),  # three times two seconds, and three
        ("one two three four five six seven eight nine ten", None, 15.0),
        ("我们今天下午去公园散步然后回家了", None, 15.0),
        ("word " * 900, None, 600.0),
        ("Yes, do.", 0.1, 5.4),
        ("word " * 200, 0.1, 302.7),
        ("1984", 0.1, 10.2),  # nineteen eighty-four
        ("我们今天下午去公园散步然后回家了", 0.06, 15.0),  # in the voice of a narrator of English
    ],
)
def test_a_limit_that_only_an_endless_take_reaches(text: str, rate: float | None, seconds: float) -> None:
    assert longest_take_s(text, rate) == seconds


def test_the_narrators_pace_is_the_median_of_each_language() -> None:
    clips = [("english", "a" * 10, 1.0), ("english", "a" * 10, 1.2), ("english", "a" * 10, 9.0), ("auto", "12", 6.0)]

    assert measure_rates(clips) == {"english": 0.12, "auto": 0.5}


@pytest.mark.parametrize(
    ("card", "rates"),
    [
        (None, {}),
        ({}, {}),
        ({"s_per_character": [0.1]}, {}),
        ({"s_per_character": {"english": 0.07, "german": 1e9, "auto": "x", "french": 0.0}}, {"english": 0.07}),
    ],
)
def test_a_card_of_a_stranger_gives_believable_rates_only(card: dict[str, Any] | None, rates: dict[str, float]) -> None:
    assert read_rates(card) == rates
