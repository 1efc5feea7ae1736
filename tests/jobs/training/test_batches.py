"""Batches are a pure function of seed and epoch, and waste little on padding."""

from __future__ import annotations

import random

import pytest

from jobs.training.batches import epoch_batches, optimiser_steps, steps_per_epoch


def test_every_clip_is_dealt_once_an_epoch() -> None:
    batches = epoch_batches(list(range(50, 153)), 4, seed=1, epoch=0)

    assert sorted(clip for batch in batches for clip in batch) == list(range(103))
    assert max(len(batch) for batch in batches) == 4


def test_the_same_seed_and_epoch_deal_the_same() -> None:
    lengths = [random.Random(0).randrange(40, 400) for _ in range(100)]

    assert epoch_batches(lengths, 8, seed=3, epoch=5) == epoch_batches(lengths, 8, seed=3, epoch=5)
    assert epoch_batches(lengths, 8, seed=3, epoch=5) != epoch_batches(lengths, 8, seed=3, epoch=6)
    assert epoch_batches(lengths, 8, seed=3, epoch=5) != epoch_batches(lengths, 8, seed=4, epoch=5)


def test_clips_of_a_batch_are_of_similar_length() -> None:
    dice = random.Random(0)
    lengths = [dice.randrange(40, 400) for _ in range(1000)]

    batches = epoch_batches(lengths, 8, seed=0, epoch=0)

    padded = sum(len(batch) * max(lengths[clip] for clip in batch) for batch in batches)
    assert padded < 1.1 * sum(lengths)


@pytest.mark.parametrize("n_clips", [1, 4, 63, 64, 65, 200])
@pytest.mark.parametrize("accumulation", [1, 3])
def test_steps_per_epoch_counts_what_is_dealt(n_clips: int, accumulation: int) -> None:
    batches = epoch_batches([10] * n_clips, 4, seed=0, epoch=0)

    assert steps_per_epoch(n_clips, 4, accumulation) == len(optimiser_steps(batches, accumulation))
