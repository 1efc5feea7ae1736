"""The cheapest change of settings that makes a run fit."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.errors import UserError
from jobs.training.data.manifest_scan import ClipSize
from jobs.training.params import Params
from jobs.training.planning.cheaper_settings import cheapest_change, check_fits
from jobs.training.planning.memory import estimate
from jobs.training.planning.memory_fit import MemoryBudget, build_recipe, largest_micro_batch
from jobs.training.planning.model_dims import RELEASED

CLIPS = [ClipSize(frames, frames) for frames in [60] * 90 + [375] * 10]  # 5 s and 30 s
LARGE, SMALL = RELEASED["1.7b"], RELEASED["0.6b"]


def params_of(**given: Any) -> Params:
    """Parameters of a run on some manifest; of the 1.7B by default."""
    return Params(**{"manifest": "/data/coded.jsonl", "base_model": "Qwen/Qwen3-TTS-12Hz-1.7B-Base", **given})


LEAST = {"method": "lora", "batch_size": 1, "gradient_checkpointing": True, "optimizer": "adamw_8bit"}


def gpu_of(free_gb: float, total_gb: float = 80) -> MemoryBudget:
    """A GPU."""
    return MemoryBudget("cuda", "NVIDIA Example", total_gb * 1e9, free_gb * 1e9)


def test_a_run_that_fits_is_let_through_with_its_estimate() -> None:
    found = check_fits(params_of(method="lora"), LARGE, CLIPS, gpu_of(70))

    assert 0 < found.peak < 70e9


def test_a_gpu_without_half_precision_needs_more_memory() -> None:
    def peak(capability: tuple[int, int] | None) -> float:
        gpu = MemoryBudget("cuda", "NVIDIA Example", 80e9, 80e9, capability)
        return check_fits(params_of(method="lora", freeze=None), LARGE, CLIPS, gpu).parts["talker activations"]

    pascal, turing, ampere, unknown = (peak(capability) for capability in ((6, 1), (7, 5), (8, 0), None))

    assert pascal > turing == ampere == unknown


@pytest.mark.parametrize(
    ("given", "free_gb", "updates"),
    [
        ({"method": "lora"}, 12.5, {"batch_size": 2, "gradient_accumulation_steps": 2}),
        ({"method": "lora"}, 9, {"batch_size": 1, "gradient_accumulation_steps": 4}),
        ({"method": "lora"}, 7.0, {"gradient_checkpointing": True}),
        ({"method": "lora", "batch_tokens": 2048}, 12.5, {"batch_tokens": 1024, "gradient_accumulation_steps": 2}),
        (LEAST, 5.1, {"max_clip_s": 20.0, "max_bad_share": 0.15}),
        ({**LEAST, "max_clip_s": 20.0}, 3.5, {"load_in_4bit": True}),
        ({"gradient_checkpointing": True, "batch_size": 1}, 20, {"optimizer": "adamw_8bit"}),
        ({"optimizer": "adamw_8bit", "batch_size": 1, "gradient_checkpointing": True}, 10, {"method": "lora"}),
    ],
)
def test_the_cheapest_change_that_fits_is_found_by_estimating_again(
    given: dict[str, Any], free_gb: float, updates: dict[str, Any]
) -> None:
    params = params_of(**given)

    change = cheapest_change(params, LARGE, CLIPS, "cuda", free_gb * 1e9)

    assert change is not None
    assert change.updates == updates
    assert change.estimate.peak <= free_gb * 1e9
    changed = params.model_copy(update=updates)
    assert change.estimate == estimate(LARGE, build_recipe(changed), largest_micro_batch(changed, CLIPS), "cuda")
    Params.model_validate({**params.model_dump(), **updates})


def test_where_no_change_is_enough_alone_the_cheap_ones_are_put_together() -> None:
    change = cheapest_change(params_of(), LARGE, CLIPS, "cuda", 6.5e9)

    assert change is not None
    assert change.updates["method"] == "lora"
    assert change.updates["gradient_checkpointing"] is True
    assert change.updates["batch_size"] == 1
    assert change.estimate.peak <= 6.5e9


def test_a_refusal_shows_the_table_and_the_change() -> None:
    with pytest.raises(UserError) as refusal:
        check_fits(params_of(method="lora"), LARGE, CLIPS, gpu_of(9, total_gb=24))

    assert refusal.value.code == "memory_too_small"
    assert "NVIDIA Example has 9.0 GB free" in refusal.value.message
    assert "weights 3.9" in refusal.value.message
    assert "batch_size=1 gradient_accumulation_steps=4" in refusal.value.hint
    assert "15.0 GB are in use" in refusal.value.hint


def test_nothing_is_promised_where_nothing_helps() -> None:
    with pytest.raises(UserError) as refusal:
        check_fits(params_of(), SMALL, CLIPS, gpu_of(1, total_gb=1))

    assert refusal.value.hint == "No setting fits NVIDIA Example: use a larger GPU."
