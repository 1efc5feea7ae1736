"""Micro-batches are a function of seed and epoch, and have little padding."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from jobs.training.data.batch_sampler import LengthBatchSampler, scoring_batches

RNG = random.Random(0)
LENGTHS = [RNG.randrange(40, 400) for _ in range(1000)]


def sampler(lengths: list[int] = LENGTHS, **changes: Any) -> LengthBatchSampler:
    return LengthBatchSampler(
        lengths, **{"batch_size": 8, "batch_tokens": None, "micro_batches_per_step": 1, "seed": 0, **changes}
    )


def micro_batches(found: LengthBatchSampler, epoch: int = 0) -> list[list[int]]:
    return [indices for step in found.epoch(epoch) for indices in step]


@pytest.mark.parametrize("batch_tokens", [None, 2000])
def test_every_clip_is_sampled_once_an_epoch(batch_tokens: int | None) -> None:
    found = micro_batches(sampler(batch_tokens=batch_tokens))

    assert sorted(clip for indices in found for clip in indices) == list(range(1000))


def test_the_same_seed_and_epoch_give_the_same_order() -> None:
    assert sampler(seed=3).epoch(5) == sampler(seed=3).epoch(5)
    assert sampler(seed=3).epoch(5) != sampler(seed=3).epoch(6)
    assert sampler(seed=3).epoch(5) != sampler(seed=4).epoch(5)


@pytest.mark.parametrize("batch_tokens", [None, 2000])
def test_clips_of_a_micro_batch_are_of_similar_length(batch_tokens: int | None) -> None:
    found = sampler(batch_tokens=batch_tokens)

    padded = sum(len(indices) * max(LENGTHS[clip] for clip in indices) for indices in micro_batches(found))
    assert found.padding_share() == pytest.approx(1 - sum(LENGTHS) / padded)
    assert found.padding_share() < 0.1


def test_a_micro_batch_has_at_most_its_budget_of_positions_unless_one_clip_is_longer() -> None:
    found = micro_batches(sampler([*LENGTHS, 5000], batch_tokens=2000))

    sizes = [len(indices) * max([*LENGTHS, 5000][clip] for clip in indices) for indices in found]
    assert [size for size in sizes if size > 2000] == [5000]
    assert sum(sizes) / len(sizes) > 1500


@pytest.mark.parametrize("n_clips", [1, 4, 127, 128, 129, 400])
@pytest.mark.parametrize("micro_batches_per_step", [1, 3])
@pytest.mark.parametrize("batch_tokens", [None, 900])
def test_steps_are_counted_as_they_are_dealt(
    n_clips: int, micro_batches_per_step: int, batch_tokens: int | None
) -> None:
    found = sampler(LENGTHS[:n_clips], micro_batches_per_step=micro_batches_per_step, batch_tokens=batch_tokens)
    n_steps = [len(found.epoch(epoch)) for epoch in range(3)]

    assert found.total_steps(3) == sum(n_steps)
    assert found.total_steps(3, 2) == min(2, sum(n_steps))
    assert found.locate(n_steps[0]) == (1, 0)
    assert found.micro_batches_of(sum(n_steps) - 1) == found.epoch(2)[-1]


def test_a_sampler_that_starts_in_the_middle_gives_the_order_of_one_from_the_start() -> None:
    steady, resumed = (
        sampler(batch_tokens=700, micro_batches_per_step=2),
        sampler(batch_tokens=700, micro_batches_per_step=2),
    )

    sampled = [steady.micro_batches_of(step) for step in range(600)]

    assert [resumed.micro_batches_of(step) for step in range(400, 600)] == sampled[400:]


def test_scoring_goes_by_length() -> None:
    assert scoring_batches([5, 1, 4, 2], 3) == [[1, 3, 2], [0]]


@pytest.mark.parametrize("batch_tokens", [None, 2000])
def test_clips_come_as_often_as_their_weights_say(batch_tokens: int | None) -> None:
    weights = [2.0] * 200 + [0.25] * 400 + [1.0] * 399 + [0.0]
    found = sampler(weights=weights, batch_tokens=batch_tokens)
    epochs = [Counter(clip for indices in micro_batches(found, epoch) for clip in indices) for epoch in range(8)]

    assert all(epoch[clip] == 2 for epoch in epochs for clip in range(200))
    assert all(sum(epoch[clip] for epoch in epochs) == 2 for clip in range(200, 600))
    assert all(epoch[clip] == 1 for epoch in epochs for clip in range(600, 999))
    assert sum(epoch[999] for epoch in epochs) == 0
    assert {sum(epoch.values()) for epoch in epochs} <= set(range(840, 960))  # about 899
    assert found.total_steps(8) == sum(len(found.epoch(epoch)) for epoch in range(8))
    assert found.locate(found.total_steps(3)) == (3, 0)  # also after eight epochs were counted
    assert sampler(weights=weights, batch_tokens=batch_tokens).epoch(5) == found.epoch(5)


def test_an_epoch_has_a_clip_even_where_all_weights_are_small() -> None:
    found = sampler([50, 60], weights=[0.01, 0.02])

    assert [len(micro_batches(found, epoch)) for epoch in range(3)] == [1, 1, 1]
