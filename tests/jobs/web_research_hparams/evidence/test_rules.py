"""Each known failure, met by a point that runs into it and missed by one that does not."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.web_research_hparams.evidence.rules import RULES, SettingsPoint, describe_breach, find_breaches

CASES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    # rule, severity, settings that break it, circumstances
    ("not-a-setting", "reject", {"lr": 10}, {}),
    ("not-a-setting", "reject", {"lora_r": 0}, {"method": "lora"}),
    ("lr-full-too-high", "warn", {"lr": 1e-5}, {}),
    ("lr-full-too-high", "reject", {"lr": 2e-5}, {}),
    ("lr-lora-runaway", "note", {"lr": 5e-6}, {"method": "lora"}),
    ("lr-lora-too-high", "warn", {"lr": 4e-4}, {"method": "lora"}),
    ("lr-lora-too-high", "reject", {"lr": 1e-3}, {"method": "lora"}),
    ("lr-too-low", "warn", {"lr": 8e-7}, {}),
    ("lr-too-low", "reject", {"lr": 1e-8}, {}),
    ("warmup-longer-than-run", "reject", {"warmup_steps": 300}, {"steps": 300}),
    ("warmup-longer-than-run", "warn", {"warmup_steps": 40}, {"steps": 300}),
    ("warmup-longer-than-run", "reject", {"warmup_steps": 20_000}, {}),
    ("warmup-no-gain", "note", {"warmup_steps": 200}, {"steps": 5000}),
    ("warmup-short", "note", {"warmup_steps": 20}, {"steps": 1000}),
    ("epochs-full-too-many", "warn", {"epochs": 3}, {}),
    ("epochs-full-too-many", "note", {"epochs": 3}, {"n_clips": 200}),
    ("epochs-full-too-many", "reject", {"epochs": 20}, {"n_clips": 200}),
    ("lora-heard-too-often", "warn", {"epochs": 4}, {"method": "lora", "n_clips": 200}),
    ("lora-heard-too-often", "reject", {"epochs": 50}, {"method": "lora"}),
    ("lora-on-code-predictor", "warn", {"lora_targets": "all"}, {"method": "lora"}),
    ("predictor-should-be-frozen", "warn", {"freeze": "none"}, {}),
    ("dead-knob", "note", {"code_predictor_weight": 1.0}, {}),
    ("eight-bit-adam", "note", {"optimizer": "adamw_8bit"}, {}),
    ("eight-bit-adam", "warn", {"optimizer": "paged_adamw_8bit"}, {"method": "lora"}),
    ("batch-large", "warn", {"batch_size": 8, "gradient_accumulation_steps": 4}, {}),
    ("rank-small", "warn", {"lora_r": 8}, {"method": "lora"}),
    ("alpha-odd", "note", {"lora_r": 16, "lora_alpha": 256}, {"method": "lora"}),
    ("nothing-held-out", "warn", {"validation_share": 0}, {}),
    ("voice-of-few-clips", "note", {"speaker_clips": 1}, {}),
    ("greedy-never-ends", "reject", {"temperature": 0}, {}),
    ("greedy-never-ends", "reject", {"do_sample": False}, {}),
    ("memory-17b-plain", "warn", {"gradient_checkpointing": False}, {"size": "1.7b", "gpu_memory_gb": 16}),
]
SOUND: dict[str, Any] = {
    "lr": 5e-6, "epochs": 2, "batch_size": 4, "gradient_accumulation_steps": 2, "warmup_steps": 50,
    "weight_decay": 0.01, "code_predictor_weight": 0.3, "freeze": "code_predictor", "optimizer": "adamw",
    "gradient_checkpointing": True,
}  # fmt: skip


def point(values: dict[str, Any], size: Any = "0.6b", method: Any = "full", **more: Any) -> SettingsPoint:
    return SettingsPoint(values, size, method, **more)


@pytest.mark.parametrize(("rule", "severity", "values", "circumstances"), CASES)
def test_a_point_that_is_known_to_fail_breaks(
    rule: str, severity: str, values: dict[str, Any], circumstances: dict[str, Any]
) -> None:
    assert (rule, severity) in [(b.rule.id, b.severity) for b in find_breaches(point(values, **circumstances))]


def test_every_rule_has_a_case() -> None:
    assert {rule.id for rule in RULES} == {case[0] for case in CASES}


def test_sound_settings_break_none() -> None:
    assert find_breaches(point(SOUND, n_clips=2000, steps=1000, gpu_memory_gb=16)) == []
    sound_lora = {"lr": 2e-6, "epochs": 3, "lora_r": 32, "lora_alpha": 64, "lora_targets": "talker"}
    assert find_breaches(point(sound_lora, "1.7b", "lora", n_clips=200)) == []


def test_a_rule_is_asked_only_where_its_setting_is_given() -> None:
    assert find_breaches(point({}, steps=1)) == []


def test_the_worst_comes_first_and_says_value_reason_and_remedy() -> None:
    found = find_breaches(point({"lr": 2e-5, "code_predictor_weight": 1.0}))

    assert [breach.severity for breach in found] == ["reject", "note"]
    assert describe_breach(found[0]).startswith("reject: lr=2e-5: At 1e-5 and above")
    assert describe_breach(found[0]).endswith("Use 5e-6; search 1e-6 to 1e-5.")
