from __future__ import annotations

import pytest

from jobs.warmup import compute_warmup


@pytest.mark.parametrize(
    ("total_steps", "warmup"), [(None, 50), (0, 0), (9, 0), (10, 1), (300, 30), (500, 50), (5000, 50)]
)
def test_the_warm_up_is_fifty_steps_but_at_most_a_tenth_of_the_run(total_steps: int | None, warmup: int) -> None:
    assert compute_warmup(total_steps) == warmup
