"""Search spaces are checked by the rules of start_training before any training."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from jobs.errors import UserError
from jobs.tune_hparams.search_space import Preset, Range, check_space, preset_space


@pytest.mark.parametrize("preset", get_args(Preset))
@pytest.mark.parametrize("trial_steps", [10, 300, 10_000])
def test_a_preset_is_a_space_of_start_training(preset: Preset, trial_steps: int) -> None:
    ranges, fixed = preset_space(preset, trial_steps)

    check_space(ranges, fixed, {"manifest": "m"})

    warmup = next(found for found in ranges if found.name == "warmup_steps")
    assert warmup.bounds[1] <= trial_steps / 10


def test_the_preset_of_the_original_skill_is_its_documented_space() -> None:
    ranges, fixed = preset_space("1.7b", 300)
    space = {found.name: found.choices or [found.low, found.high] for found in ranges}

    assert space["lr"] == [1e-6, 5e-5]
    assert (space["gradient_accumulation_steps"], space["lora_r"], space["lora_alpha"]) == (
        [8, 16, 32], [16, 32], [32, 64],
    )  # fmt: skip
    assert fixed == {"method": "lora", "batch_size": 1, "optimizer": "adamw_8bit", "gradient_checkpointing": True}


@pytest.mark.parametrize(
    ("ranges", "fixed", "message"),
    [
        ([Range(name="learning_rate", low=0, high=1)], {}, "learning_rate"),
        ([Range(name="max_steps", low=1, high=9)], {}, "max_steps"),
        ([Range(name="lr", low=1e-6, high=5)], {}, "lr=5"),
        ([Range(name="lr", low=1e-6, high=1e-5)], {"out_dir": "/tmp"}, "out_dir"),
        ([Range(name="method", choices=["full", "qlora"])], {}, "qlora"),
        ([Range(name="encoder_from", choices=["/elsewhere/voice"])], {}, "encoder_from"),
        ([Range(name="references", choices=["/elsewhere/clip.wav"])], {}, "references"),
        ([], {}, "at least one"),
        ([Range(name="lr", low=1e-6, high=1e-5)] * 2, {}, "once"),
        ([Range(name="load_in_4bit", choices=[True])], {"method": "full"}, "4-bit"),
    ],
)
def test_what_start_training_would_refuse_is_refused(ranges: list[Range], fixed: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        check_space(ranges, fixed, {"manifest": "m"})

    assert refused.value.code == "space_invalid"


@pytest.mark.parametrize(
    "given",
    [{"low": 2, "high": 1}, {"low": 0, "high": 1, "log": True}, {"low": 1}, {"choices": [1], "low": 0, "high": 1}, {}],
)
def test_a_range_that_is_none_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Range(name="lr", **given)
