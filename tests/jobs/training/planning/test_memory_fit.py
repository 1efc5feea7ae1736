"""Whether a run fits the machine, and the cheapest change that makes it fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import UserError
from jobs.qwen.toy.checkpoints import speaking_toy
from jobs.runner.machine.nvidia_smi import Gpus
from jobs.runner.machine.preflight import memory_of_machine
from jobs.runner.worker.context import JobContext
from jobs.settings import Settings
from jobs.training import work
from jobs.training.data.manifest_scan import ClipSize
from jobs.training.params import Params
from jobs.training.planning import memory_fit
from jobs.training.planning.memory import estimate
from jobs.training.planning.memory_fit import (
    TOY,
    Memory,
    cheapest_change,
    check_fits,
    largest_pass,
    memory_for,
    shape_of,
)
from jobs.training.planning.model_dims import RELEASED, Shape

CLIPS = [ClipSize(frames, frames) for frames in [60] * 90 + [375] * 10]  # 5 s and 30 s
LARGE, SMALL = RELEASED["1.7b"], RELEASED["0.6b"]


def params_of(**given: Any) -> Params:
    """Parameters of a run on some manifest, of the 1.7B unless told otherwise."""
    return Params(**{"manifest": "/data/coded.jsonl", "base_model": "Qwen/Qwen3-TTS-12Hz-1.7B-Base", **given})


LEAST = {"method": "lora", "batch_size": 1, "gradient_checkpointing": True, "optimizer": "adamw_8bit"}


def gpu_of(free_gb: float, total_gb: float = 80) -> Memory:
    """A GPU."""
    return Memory("cuda", "NVIDIA Example", total_gb * 1e9, free_gb * 1e9)


def test_a_run_that_fits_is_let_through_with_its_estimate() -> None:
    found = check_fits(params_of(method="lora"), LARGE, CLIPS, gpu_of(70))

    assert 0 < found.peak < 70e9


@pytest.mark.parametrize(
    ("given", "free_gb", "updates"),
    [
        ({"method": "lora"}, 12.5, {"batch_size": 2, "gradient_accumulation_steps": 2}),
        ({"method": "lora"}, 9, {"batch_size": 1, "gradient_accumulation_steps": 4}),
        ({"method": "lora"}, 7.5, {"gradient_checkpointing": True}),
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
    assert change.estimate == estimate(LARGE, memory_fit.recipe_of(changed), largest_pass(changed, CLIPS), "cuda")
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

    assert refusal.value.hint == "Nothing makes it fit here: use a larger GPU."


def test_the_largest_pass_holds_the_longest_clips() -> None:
    side_by_side = largest_pass(params_of(batch_size=4), CLIPS)
    by_tokens = largest_pass(params_of(batch_tokens=600), CLIPS)
    packed = largest_pass(params_of(batch_size=2, packing=True, predictor_share=0.1), CLIPS)

    length = 375 + 11 + 125
    assert (side_by_side.n_clips, side_by_side.width, side_by_side.frames) == (4, length, 1500)
    assert (by_tokens.n_clips, by_tokens.width) == (6, 60 + 11 + 20)  # 546 positions; a long clip has 511
    assert (packed.n_clips, packed.width, packed.frames, packed.predicted) == (1, 2 * length, 750, 75)


ANSWER = {
    "-L": "GPU 0: NVIDIA A (UUID: GPU-aaaa)\nGPU 1: NVIDIA B (UUID: GPU-bbbb)\n",
    "--query-gpu": "0, 24564, 20000, NVIDIA A\n1, 81920, [N/A], NVIDIA B\n2, 100, 1, NVIDIA C\n",
}


def ask(arguments: Any) -> str:
    """What nvidia-smi says."""
    return ANSWER[arguments[0].split("=")[0]]


def test_memory_is_that_of_the_gpu_that_the_job_may_use(settings: Settings) -> None:
    seen = memory_for(settings, gpus=Gpus(ask))
    hidden = memory_for(replace(settings, gpus=""), gpus=Gpus(ask))
    silent = memory_for(replace(settings, gpus="1"), gpus=Gpus(ask))
    on_cpu = memory_for(settings, gpus=Gpus(ask), on_cpu=True)

    machine = memory_of_machine()
    assert machine is not None
    assert seen == Memory("cuda", "NVIDIA A", 24564 * 2**20, 20000 * 2**20)
    assert {memory.device for memory in (hidden, silent, on_cpu) if memory is not None} == {"cpu"}
    assert hidden is not None
    assert hidden.total == pytest.approx(machine.total_mb * 1e6)


def test_shapes_come_from_the_config_on_the_disk_or_from_the_released_names(settings: Settings, tmp_path: Path) -> None:
    cached = settings.hub_cache / "models--Some--Voice" / "snapshots" / "abc"
    cached.mkdir(parents=True)
    toy = speaking_toy(tmp_path / "toys")
    (cached / "config.json").write_text((toy / "config.json").read_text())

    assert shape_of("Qwen/Qwen3-TTS-12Hz-0.6B-Base", settings) == SMALL
    assert shape_of("Qwen/Qwen3-TTS-12Hz-1.7B-Base", settings) == LARGE
    assert shape_of("Some/Voice", settings) == shape_of(str(toy), settings)
    assert shape_of("Some/Other", settings) is None
    built = Shape.of(json.loads((toy / "config.json").read_text()))
    assert shape_of("toy", settings) == TOY == replace(built, text_vocabulary=TOY.text_vocabulary)


def test_a_run_that_cannot_fit_is_refused_before_weights_are_loaded(
    make_params: Callable[..., Params], make_context: Callable[[], JobContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = Memory("cpu", "this machine's memory", 2e6, 1e6)
    monkeypatch.setattr(work, "memory_for", lambda *args, **kwargs: tiny)
    monkeypatch.setattr(work, "load_trainee", lambda *args: pytest.fail("weights were loaded"))

    with pytest.raises(UserError) as refusal:
        work.run(make_params(), make_context())

    assert refusal.value.code == "memory_too_small"
