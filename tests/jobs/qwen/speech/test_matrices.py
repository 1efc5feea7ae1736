"""Products with packed weights: those of the plain ones, packed only where it is of use."""

from __future__ import annotations

import pytest
import torch

from jobs.qwen.speech.matrices import Matrix, may_pack


@pytest.mark.parametrize("n_rows", [1, 8, 40])
def test_packed_weights_compute_what_plain_ones_do(n_rows: int) -> None:
    rng = torch.Generator().manual_seed(0)
    plain = Matrix(torch.randn(512, 513, generator=rng))
    x, added = torch.randn(n_rows, 513, generator=rng), torch.randn(n_rows, 512, generator=rng)

    packed = plain.pack(8)

    assert packed.packed is not None
    assert torch.allclose(packed.times(x), x @ plain.plain.t(), atol=1e-4)
    assert torch.allclose(packed.times_plus(x, added), added + x @ plain.plain.t(), atol=1e-4)


def test_a_row_does_not_depend_on_the_rows_beside_it() -> None:
    rng = torch.Generator().manual_seed(0)
    matrix = Matrix(torch.randn(512, 513, generator=rng)).pack(8)
    x = torch.randn(8, 513, generator=rng)
    others = torch.cat([x[:1], torch.randn(7, 513, generator=rng)])

    assert torch.equal(matrix.times(x)[0], matrix.times(others)[0])


def test_small_matrices_few_rows_half_precision_and_too_many_weights_are_not_packed() -> None:
    small, large = Matrix(torch.ones(16, 16)), Matrix(torch.ones(512, 512))
    endless = Matrix(torch.empty(1).expand(2**20, 2**20))  # four terabytes, if they were there

    assert small.pack(8) is small
    assert may_pack([small, large], 8)
    assert not may_pack([large], 3)
    assert not may_pack([Matrix(torch.ones(512, 512, dtype=torch.bfloat16))], 8)
    assert not may_pack([endless], 8)
