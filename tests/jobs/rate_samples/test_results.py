"""Means over texts and their intervals."""

from __future__ import annotations

import random
from statistics import fmean

import pytest

from jobs.rate_samples.params import Rating
from jobs.rate_samples.results import describe_too_short, mean_over_texts, rank_voices, summarise_texts


def test_a_text_with_many_takes_counts_no_more_than_another() -> None:
    found = mean_over_texts([("a", 1.0), *[("b", 5.0)] * 9])

    assert (found.mean, found.n_takes, found.n_texts) == (3.0, 10, 2)
    assert (found.low, found.high) == (1.0, 5.0)


def test_the_same_ratings_give_the_same_interval_and_one_take_none() -> None:
    values = [(f"text {n % 4}", 3 + n / 10) for n in range(12)]

    assert mean_over_texts(values) == mean_over_texts(values)
    only = mean_over_texts([("a", 3.5)])
    assert (only.low, only.mean, only.high) == (3.5, 3.5, 3.5)


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says() -> None:
    rng = random.Random(1)

    held = 0
    for _ in range(100):
        found = mean_over_texts([(str(n), rng.gauss(3.5, 0.6)) for n in range(12)])
        held += found.low <= 3.5 <= found.high

    assert 85 <= held <= 99  # 95 less what the percentile interval of 12 texts lacks


def test_texts_are_listed_in_order_with_their_range() -> None:
    found = summarise_texts([("b", 4.0), ("a", 2.0), ("b", 3.0)])

    assert list(found) == ["b", "a"]
    assert found["b"] == (fmean([4.0, 3.0]), 3.0, 4.0)
    assert found["a"] == pytest.approx((2.0, 2.0, 2.0))


def test_takes_of_one_text_with_another_instruct_count_as_another_text() -> None:
    ratings = [
        Rating(audio=f"{n}.wav", text="Hello.", instruct=how, rating=score, uncapped=score, reasons=[])
        for n, (how, score) in enumerate([(None, 3.0), (None, 5.0), ("calmly", 1.0)])
    ]

    found = mean_over_texts([(rating.phrase, rating.uncapped) for rating in ratings])

    assert (found.n_texts, found.mean) == (2, 2.5)
    assert ratings[2].phrase == "Hello. [calmly]"


def test_several_voices_are_ranked_by_their_mean_over_the_texts_and_one_is_not() -> None:
    scores = {"early": (3.0, 3.2, 3.1), "late": (4.0, 4.2, 4.4), "middle": (3.9, 4.1, 4.4)}
    ratings = [
        Rating(audio=f"{name}-{n}.wav", text=f"text {n}", model=name, rating=score, uncapped=score, reasons=[])
        for name, found in scores.items()
        for n, score in enumerate(found)
    ]

    voices = rank_voices(ratings)

    assert [(voice.model, round(voice.mean, 2), voice.n_takes, voice.n_texts) for voice in voices] == [
        ("late", 4.2, 3, 3), ("middle", 4.13, 3, 3), ("early", 3.1, 3, 3),
    ]  # fmt: skip
    assert rank_voices(ratings[:3]) == []


def test_takes_too_short_to_judge_are_in_no_mean_and_are_counted() -> None:
    ratings = [
        Rating(audio=f"{n}.wav", text=f"text {n}", model=f"voice {n % 2}", rating=score, uncapped=score, reasons=[])
        for n, score in enumerate([4.0, 3.0, None, 3.0])
    ]

    assert [(voice.model, voice.mean, voice.n_takes) for voice in rank_voices(ratings)] == [
        ("voice 0", 4.0, 1),
        ("voice 1", 3.0, 2),
    ]
    assert describe_too_short(ratings) == ["1 of 4 takes are too short to judge, and no mean includes them."]
    assert describe_too_short(ratings[:2]) == []
