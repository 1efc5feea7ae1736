"""Memory of a run against the memory of the machine."""

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
from jobs.training.planning.memory_fit import TOY, MemoryBudget, available_memory, find_model_dims, largest_micro_batch
from jobs.training.planning.model_dims import RELEASED, ModelDims

CLIPS = [ClipSize(frames, frames) for frames in [60] * 90 + [375] * 10]  # 5 s and 30 s
LARGE, SMALL = RELEASED["1.7b"], RELEASED["0.6b"]


def params_of(**given: Any) -> Params:
    """Parameters of a run on some manifest, of the 1.7B by default."""
    return Params(**{"manifest": "/data/coded.jsonl", "base_model": "Qwen/Qwen3-TTS-12Hz-1.7B-Base", **given})


def test_the_largest_pass_holds_the_longest_clips() -> None:
    side_by_side = largest_micro_batch(params_of(batch_size=4), CLIPS)
    by_tokens = largest_micro_batch(params_of(batch_tokens=600), CLIPS)
    packed = largest_micro_batch(params_of(batch_size=2, packing=True, predictor_share=0.1), CLIPS)

    length = 375 + 11 + 125
    assert (side_by_side.n_clips, side_by_side.width, side_by_side.frames) == (4, length, 1500)
    assert (by_tokens.n_clips, by_tokens.width) == (6, 60 + 11 + 20)  # 546 positions; a long clip has 511
    assert (packed.n_clips, packed.width, packed.frames, packed.predicted) == (1, 2 * length, 750, 75)


ANSWER = {
    "-L": "GPU 0: NVIDIA A (UUID: GPU-aaaa)\nGPU 1: NVIDIA B (UUID: GPU-bbbb)\n",
    "--query-gpu=index,memory": "0, 24564, 20000, NVIDIA A\n1, 81920, [N/A], NVIDIA B\n2, 100, 1, NVIDIA C\n",
    "--query-gpu=index,compute_cap": "0, 7.5\n1, 12.0\n",
}


def ask(arguments: Any) -> str:
    """Answer as nvidia-smi."""
    return ANSWER[arguments[0].split(".")[0]]


def test_memory_is_that_of_the_gpu_that_the_job_may_use(settings: Settings) -> None:
    slices = ANSWER["-L"] + "  MIG 1g.18gb     Device  0: (UUID: MIG-1111)\n"
    part = available_memory(
        replace(settings, gpus="MIG-1111"), gpus=Gpus(lambda wanted: slices if wanted == ["-L"] else ask(wanted))
    )
    seen = available_memory(settings, gpus=Gpus(ask))
    hidden = available_memory(replace(settings, gpus=""), gpus=Gpus(ask))
    silent = available_memory(replace(settings, gpus="1"), gpus=Gpus(ask))

    assert part == MemoryBudget("cuda", "NVIDIA B MIG 1g.18gb", 18 * 2**30, 18 * 2**30, (12, 0))
    on_cpu = available_memory(settings, gpus=Gpus(ask), on_cpu=True)

    machine = memory_of_machine()
    assert machine is not None
    assert seen == MemoryBudget("cuda", "NVIDIA A", 24564 * 2**20, 20000 * 2**20, (7, 5))
    assert {memory.device for memory in (hidden, silent, on_cpu) if memory is not None} == {"cpu"}
    assert hidden is not None
    assert hidden.total == pytest.approx(machine.total_mb * 1e6)


def test_shapes_come_from_the_config_on_the_disk_or_from_the_released_names(settings: Settings, tmp_path: Path) -> None:
    cached = settings.hub_cache / "models--Some--Voice" / "snapshots" / "abc"
    cached.mkdir(parents=True)
    toy = speaking_toy(tmp_path / "toys")
    (cached / "config.json").write_text((toy / "config.json").read_text())

    assert find_model_dims("Qwen/Qwen3-TTS-12Hz-0.6B-Base", settings) == SMALL
    assert find_model_dims("Qwen/Qwen3-TTS-12Hz-1.7B-Base", settings) == LARGE
    assert find_model_dims("Some/Voice", settings) == find_model_dims(str(toy), settings)
    assert find_model_dims("Some/Other", settings) is None
    built = ModelDims.from_config(json.loads((toy / "config.json").read_text()))
    assert find_model_dims("toy", settings) == TOY == replace(built, text_vocabulary=TOY.text_vocabulary)


def test_a_run_that_cannot_fit_is_refused_before_weights_are_loaded(
    make_params: Callable[..., Params], make_context: Callable[[], JobContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = MemoryBudget("cpu", "this machine's memory", 2e6, 1e6)
    monkeypatch.setattr(work, "available_memory", lambda *args, **kwargs: tiny)
    monkeypatch.setattr(work, "setup_model", lambda *args: pytest.fail("weights were loaded"))

    with pytest.raises(UserError) as refusal:
        work.run(make_params(), make_context())

    assert refusal.value.code == "memory_too_small"
