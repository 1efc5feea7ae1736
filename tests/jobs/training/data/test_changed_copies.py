"""Examples that each step takes from a clip or one of its changed copies."""

from __future__ import annotations

from collections import Counter

import torch

from jobs.qwen.train.sequence_layout import Example
from jobs.training.data.changed_copies import VariedExamples

N_STEPS = 900


def examples(seed: int) -> VariedExamples:
    """Two clips, the first with two copies; codes say which it is."""
    codes = [torch.full((4, 16), number) for number in range(4)]
    made = [Example(torch.arange(5), codes[number], "auto", torch.zeros(8)) for number in (0, 3)]
    return VariedExamples(made, [[codes[1], codes[2]], []], seed)


def chosen(varied: VariedExamples, index: int) -> list[int]:
    found = []
    for step in range(N_STEPS):
        varied.turn_to(step)
        found.append(int(varied[index].codes[0, 0]))
    return found


def test_each_step_takes_the_clip_or_a_copy_in_equal_shares_and_the_same_again() -> None:
    first = chosen(examples(0), 0)

    assert all(count > N_STEPS / 3 - 80 for count in Counter(first).values())
    assert set(first) == {0, 1, 2}
    assert first == chosen(examples(0), 0)
    assert first != chosen(examples(1), 0)


def test_a_clip_without_copies_is_itself_and_so_is_every_clip_before_the_first_step() -> None:
    varied = examples(0)

    assert [int(example.codes[0, 0]) for example in varied] == [0, 3]
    assert set(chosen(varied, 1)) == {3}
