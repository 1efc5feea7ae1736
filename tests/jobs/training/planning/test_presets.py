"""Settings by the memory of the GPU."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.settings import Settings
from jobs.training.data.manifest_scan import ClipSize
from jobs.training.params import Params
from jobs.training.planning import presets
from jobs.training.planning.memory_fit import CARD_RESERVE, MemoryBudget, estimate_run_memory
from jobs.training.planning.model_dims import RELEASED
from jobs.training.planning.presets import LARGE, SMALL, default_lr, preset_for, preset_gib, preset_settings, suggest

LONG_CLIPS = [ClipSize(375, 450)] * 20  # 30 s, fifteen characters a second


def params_of(**given: Any) -> Params:
    """Parameters of a run on some manifest."""
    return Params(**{"manifest": "/data/coded.jsonl", **given})


@pytest.mark.parametrize("preset", LARGE)
@pytest.mark.parametrize(("size", "table"), [("0.6b", SMALL), ("1.7b", LARGE)])
def test_every_preset_is_estimated_to_fit_its_card_with_clips_of_thirty_seconds(
    preset: str, size: str, table: dict[str, dict[str, Any]]
) -> None:
    params = params_of(base_model=f"Qwen/Qwen3-TTS-12Hz-{size.upper()}-Base", **table[preset])

    peak = estimate_run_memory(params, RELEASED[size], LONG_CLIPS, "cuda").peak

    assert peak <= preset_gib(preset) * 2**30 - CARD_RESERVE


def test_a_card_gets_the_largest_preset_that_it_holds() -> None:
    told_mib = {"4gb": 4096, "8gb": 8188, "12gb": 12288, "24gb": 24564, "40gb": 40960, "h100": 81559, "h200": 143771}

    found = {name: preset_for(mib * 2**20) for name, mib in told_mib.items()}

    assert found == {
        "4gb": None, "8gb": "8gb", "12gb": "12gb", "24gb": "24gb", "40gb": "24gb", "h100": "80gb", "h200": "80gb",
    }  # fmt: skip


def test_what_the_caller_gave_is_never_overruled() -> None:
    small_batch = preset_settings("24gb", is_small=False, given={"batch_size": 1, "optimizer": "adamw"})
    by_tokens = preset_settings("24gb", is_small=False, given={"batch_tokens": 4000})

    assert small_batch == {"method": "full", "gradient_checkpointing": True}
    assert "batch_size" not in by_tokens
    assert "gradient_accumulation_steps" not in by_tokens


@pytest.mark.parametrize(
    ("preset", "given", "method", "gradient_checkpointing"),
    [
        ("8gb", {"method": "full"}, "full", True),
        ("8gb", {"freeze": "talker"}, "full", True),
        ("16gb", {"load_in_4bit": True}, "lora", True),
        ("80gb", {"method": "lora"}, "lora", False),
    ],
)
def test_a_method_that_was_chosen_is_kept_and_fitted(
    preset: str, given: dict[str, Any], method: str, gradient_checkpointing: bool
) -> None:
    added = preset_settings(preset, is_small=False, given=given)

    params = params_of(**given, **added)
    assert params.method == method
    assert params.gradient_checkpointing is gradient_checkpointing


def gpu_of(gib: float) -> MemoryBudget:
    """A GPU."""
    return MemoryBudget("cuda", "NVIDIA Example", gib * 2**30, gib * 2**30)


def test_without_a_preset_this_machines_gpu_chooses(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "available_memory", lambda *args: gpu_of(8))
    large = params_of(base_model="Qwen/Qwen3-TTS-12Hz-1.7B-Base")

    assert suggest(large, {"manifest", "base_model"}, settings) == {"preset": "8gb", **LARGE["8gb"]}
    assert suggest(params_of(), {"manifest"}, settings) == {"preset": "8gb", **SMALL["8gb"]}
    assert suggest(params_of(base_model="toy"), {"base_model"}, settings) == {}
    assert suggest(large, {"base_model"}, replace(settings, backend="slurm")) == {}
    asked = suggest(large.model_copy(update={"preset": "24gb"}), {"preset"}, replace(settings, backend="slurm"))
    assert asked == {"preset": "24gb", "gpu_memory_gb": 24, **LARGE["24gb"]}


def test_without_a_gpu_nothing_is_chosen(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        presets, "available_memory", lambda *args: MemoryBudget("cpu", "this machine's memory", 64e9, 64e9)
    )

    assert suggest(params_of(), {"manifest"}, settings) == {}


@pytest.mark.parametrize(("gib", "preset"), [(6, None), (10, "8gb"), (12, "12gb"), (40, "24gb")])
def test_a_memory_that_the_call_names_chooses_the_preset_on_any_machine(
    settings: Settings, gib: float, preset: str | None
) -> None:
    params = params_of(gpu_memory_gb=gib)

    chosen = suggest(params, {"manifest", "gpu_memory_gb"}, settings)

    assert chosen == {"gpu_memory_gb": gib} | ({"preset": preset, **SMALL[preset]} if preset else {})


def test_settings_beside_a_preset_are_kept_and_its_memory_stays_the_one_to_plan_for(settings: Settings) -> None:
    chosen = suggest(params_of(preset="8gb", gpu_memory_gb=6), {"preset", "gpu_memory_gb"}, settings)

    assert chosen == {"preset": "8gb", "gpu_memory_gb": 6, **SMALL["8gb"]}


@pytest.mark.parametrize(
    ("card", "lr"),
    [
        ({"base_model": "toy", "base_card": None}, 5e-3),
        ({"base_model": "/voices/anna/voice", "base_card": {"base_model": "toy", "base_card": None}}, 5e-3),
        ({"base_model": "Qwen/Qwen3-TTS-12Hz-0.6B-Base", "base_card": None}, 5e-6),
        ({}, 5e-6),
        ([], 5e-6),
    ],
)
def test_a_voice_of_the_toy_is_trained_at_the_toys_rate(tmp_path: Path, card: object, lr: float) -> None:
    (tmp_path / "tts_train.json").write_text(json.dumps(card))

    assert default_lr(params_of(base_model=str(tmp_path))) == lr
