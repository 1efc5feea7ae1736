"""When a run is validated."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.training.params import Params
from jobs.training.planning.run_config import make_sampler, resolve_run_config
from jobs.training.planning.validation_times import describe_validation, is_time_to_validate


@pytest.mark.parametrize(
    ("n_clips", "given", "times", "words"),
    [
        (110, {"epochs": 2}, [55, 110, 27 + 1, 55 + 28], "2 times an epoch"),
        (200, {"epochs": 1}, [25, 50, 75, 100], "4 times an epoch"),
        (200, {"epochs": 2, "max_steps": 60}, [25, 50, 60], "4 times an epoch"),
        (6, {"epochs": 3}, [3, 6, 9], "after every epoch"),
        (2, {"epochs": 50}, [*range(3, 50, 3), 50], "after every 3 epochs"),
        (6, {"epochs": 1000, "max_steps": 7}, [3, 6, 7], "after every epoch"),
        (200, {"epochs": 1, "validate_every_steps": 40}, [40, 80, 100], "every 40 steps"),
    ],
)
def test_long_epochs_are_validated_at_their_quarters_and_many_short_ones_seldom(
    n_clips: int, given: dict[str, Any], times: list[int], words: str
) -> None:
    params = Params(manifest="/m.jsonl", batch_size=2, **given)
    sampler = make_sampler(params, [100] * n_clips)
    config = resolve_run_config(params, sampler, speech_s=600)

    found = [step for step in range(1, config.total_steps + 1) if is_time_to_validate(step, params, config, sampler)]

    assert found == sorted(times)
    assert describe_validation(params, config, sampler) == f"{words}; the run ends after 3 that are not better"
