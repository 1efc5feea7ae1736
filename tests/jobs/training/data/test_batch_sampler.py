"""Passes are a pure function of seed and epoch, and waste little on padding."""

from __future__ import annotations

import random
from typing import Any

import pytest

from jobs.training.data.batch_sampler import Dealer, in_order

DICE = random.Random(0)
LENGTHS = [DICE.randrange(40, 400) for _ in range(1000)]


def dealer(lengths: list[int] = LENGTHS, **changes: Any) -> Dealer:
    return Dealer(lengths, **{"batch_size": 8, "batch_tokens": None, "passes_per_step": 1, "seed": 0, **changes})


def passes(found: Dealer, epoch: int = 0) -> list[list[int]]:
    return [indices for step in found.epoch(epoch) for indices in step]


@pytest.mark.parametrize("batch_tokens", [None, 2000])
def test_every_clip_is_dealt_once_an_epoch(batch_tokens: int | None) -> None:
    found = passes(dealer(batch_tokens=batch_tokens))

    assert sorted(clip for indices in found for clip in indices) == list(range(1000))


def test_the_same_seed_and_epoch_deal_the_same() -> None:
    assert dealer(seed=3).epoch(5) == dealer(seed=3).epoch(5)
    assert dealer(seed=3).epoch(5) != dealer(seed=3).epoch(6)
    assert dealer(seed=3).epoch(5) != dealer(seed=4).epoch(5)


@pytest.mark.parametrize("batch_tokens", [None, 2000])
def test_clips_of_a_pass_are_of_similar_length(batch_tokens: int | None) -> None:
    found = dealer(batch_tokens=batch_tokens)

    padded = sum(len(indices) * max(LENGTHS[clip] for clip in indices) for indices in passes(found))
    assert found.padding_share() == pytest.approx(1 - sum(LENGTHS) / padded)
    assert found.padding_share() < 0.1


def test_a_pass_has_at_most_its_budget_of_positions_unless_one_clip_is_longer() -> None:
    found = passes(dealer([*LENGTHS, 5000], batch_tokens=2000))

    sizes = [len(indices) * max([*LENGTHS, 5000][clip] for clip in indices) for indices in found]
    assert [size for size in sizes if size > 2000] == [5000]
    assert sum(sizes) / len(sizes) > 1500


@pytest.mark.parametrize("n_clips", [1, 4, 127, 128, 129, 400])
@pytest.mark.parametrize("passes_per_step", [1, 3])
@pytest.mark.parametrize("batch_tokens", [None, 900])
def test_steps_are_counted_as_they_are_dealt(n_clips: int, passes_per_step: int, batch_tokens: int | None) -> None:
    found = dealer(LENGTHS[:n_clips], passes_per_step=passes_per_step, batch_tokens=batch_tokens)
    n_steps = [len(found.epoch(epoch)) for epoch in range(3)]

    assert found.total_steps(3) == sum(n_steps)
    assert found.total_steps(3, 2) == min(2, sum(n_steps))
    assert found.locate(n_steps[0]) == (1, 0)
    assert found.ends_epoch(n_steps[0]) == 1
    assert found.ends_epoch(sum(n_steps)) == 3
    assert found.passes_of(sum(n_steps) - 1) == found.epoch(2)[-1]


def test_a_dealer_that_starts_in_the_middle_deals_as_one_that_was_there_from_the_start() -> None:
    steady, resumed = dealer(batch_tokens=700, passes_per_step=2), dealer(batch_tokens=700, passes_per_step=2)

    dealt = [steady.passes_of(step) for step in range(600)]

    assert [resumed.passes_of(step) for step in range(400, 600)] == dealt[400:]


def test_scoring_goes_by_length() -> None:
    assert in_order([5, 1, 4, 2], 3) == [[1, 3, 2], [0]]
