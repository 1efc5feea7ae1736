"""The plan of a run that a dry run shows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.dataset.split import SPLIT_RULE
from jobs.errors import UserError
from jobs.settings import Settings
from jobs.training.params import Params
from jobs.training.planning import memory_fit
from jobs.training.planning.dry_run import plan, plan_ahead
from jobs.training.planning.memory_fit import MemoryBudget
from jobs.training.planning.model_dims import RELEASED
from jobs.training.planning.presets import suggest
from jobs.training.planning.throughput_estimate import operations_per_frame

SMALL, LARGE = (f"Qwen/Qwen3-TTS-12Hz-{size}-Base" for size in ("0.6B", "1.7B"))


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[MemoryBudget | None], None]:
    """Plan for a machine with this memory."""
    return lambda memory: monkeypatch.setattr(memory_fit, "available_memory", lambda *args: memory)


def manifest_of(path: Path, n_clips: int, n_frames: int, **fields: Any) -> str:
    """A coded manifest of equal clips, a tenth of them held out."""
    codes = [[frame] * 16 for frame in range(n_frames)]
    rows = [
        {"audio": "a.wav", "text": "word " * 20, "speaker": "anna", "ref_audio": "a.wav",
         "split": "validation" if number % 10 == 9 else "train", "audio_codes": codes, **fields}
        for number in range(n_clips)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_the_plan_resolves_settings_and_shows_data_memory_disk_and_time(
    settings: Settings, tmp_path: Path, on: Callable[[MemoryBudget | None], None]
) -> None:
    on(MemoryBudget("cuda", "NVIDIA GeForce RTX 4090", 24 * 2**30, 23 * 2**30, (8, 9)))
    params = Params(manifest=manifest_of(tmp_path / "m.jsonl", 100, 125), base_model=SMALL, gradient_checkpointing=True)

    planned = plan(params, settings)

    assert planned["settings"] | {"learns": ""} == {
        "epochs": 2, "optimizer_steps": 46, "lr": 5e-6, "schedule": "4 steps of warm-up, then cosine",
        "batch": "4 clips x 1 micro-batches x 1 processes", "learns": "",
        "optimizer": "adamw, activations recomputed",
        "validation": "after every epoch; the run ends after 3 that are not better",
            "checkpoints": "every 200 steps, 2 kept, with the optimizer's state",
        "precision": "bfloat16: NVIDIA GeForce RTX 4090 (compute capability 8.9) computes in it",
    }  # fmt: skip
    assert planned["data"] == {
        "clips": 90, "hours": 0.25, "longest_clip_s": 10.0, "held_out": 10, "speakers": {"anna": 100},
        "languages": ["auto"],
    }  # fmt: skip
    memory = planned["memory"]
    assert memory["fits"] is True
    assert sum(memory["parts_gb"].values()) == pytest.approx(memory["peak_gb"], rel=0.02)
    assert planned["disk"]["download_gb"] == pytest.approx(2.49, abs=0.01)
    assert planned["disk"]["fits"] is True
    rate = planned["time"]["frames_per_s"]
    seconds = 60 * planned["time"]["about_min"]
    assert seconds == pytest.approx(10 + 2 * 90 * 125 / rate, abs=1 + 0.01 * 22500 / rate)
    assert "guess" in planned["time"]["from"]
    assert len(json.dumps(planned)) < 3000


@pytest.mark.parametrize(
    ("base", "given", "planned"),
    [
        (SMALL, None, None),
        ("Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice", None, "of Qwen/Qwen3-TTS-12Hz-1.7B-Base, to be downloaded whole"),
        ("Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign", "/models/base", "of /models/base"),
    ],
)
def test_a_base_without_a_speaker_encoder_is_planned_with_that_of_the_base_of_its_size(
    base: str, given: str | None, planned: str | None, settings: Settings, tmp_path: Path
) -> None:
    params = Params(manifest=manifest_of(tmp_path / "m.jsonl", 10, 20), base_model=base, encoder_from=given)

    assert plan(params, settings).get("speaker_encoder") == planned


def test_what_does_not_fit_comes_with_the_cheapest_change(
    settings: Settings, tmp_path: Path, on: Callable[[MemoryBudget | None], None]
) -> None:
    on(MemoryBudget("cuda", "NVIDIA GeForce RTX 3060", 12 * 2**30, 11 * 2**30))
    params = Params(manifest=manifest_of(tmp_path / "m.jsonl", 20, 375), base_model=LARGE, method="lora")

    memory = plan(params, settings)["memory"]

    assert memory["fits"] is False
    assert memory["cheapest_change"].startswith("batch_size=2 gradient_accumulation_steps=2 (about ")


LAPTOP = MemoryBudget("cpu", "this machine's memory", 32e9, 24e9)


def test_a_card_that_is_not_here_is_planned_for_by_its_own_memory_and_format(
    settings: Settings, tmp_path: Path, on: Callable[[MemoryBudget | None], None]
) -> None:
    manifest = manifest_of(tmp_path / "m.jsonl", 20, 375)

    def planned(memory: MemoryBudget, backend: str) -> dict[str, Any]:
        on(memory)
        asked = Params(manifest=manifest, base_model=SMALL, preset="12gb")
        params = asked.model_copy(update=suggest(asked, {"manifest", "base_model", "preset"}, settings))
        return plan(params, replace(settings, backend=backend))

    on_laptop, elsewhere = planned(LAPTOP, "local"), planned(LAPTOP, "slurm")
    on_that_card = planned(MemoryBudget("cuda", "NVIDIA GeForce RTX 3060", 11.9 * 2**30, 11e9, (8, 6)), "local")
    on_a_larger = planned(MemoryBudget("cuda", "NVIDIA GeForce RTX 4090", 24 * 2**30, 23e9, (8, 9)), "local")

    assert {key: on_laptop["memory"][key] for key in ("of", "total_gb", "free_gb", "fits")} == {
        "of": "a GPU of 12 GB, not this machine's", "total_gb": 12.9, "free_gb": 12.4, "fits": True,
    }  # fmt: skip
    assert on_laptop["memory"] == elsewhere["memory"] == on_a_larger["memory"]
    assert on_laptop["memory"]["peak_gb"] < 12.4
    assert "cuda context" in on_laptop["memory"]["parts_gb"]
    assert on_laptop["settings"]["precision"].startswith("bfloat16 where the GPU computes in it")
    assert on_laptop["settings"]["optimizer"] == "adamw, activations recomputed"
    assert "about_min" not in on_laptop["time"]
    assert (on_that_card["memory"]["of"], on_that_card["memory"]["free_gb"]) == ("NVIDIA GeForce RTX 3060", 11.0)


def test_settings_that_do_not_fit_the_named_card_are_refused_with_those_that_do(
    settings: Settings, tmp_path: Path, on: Callable[[MemoryBudget | None], None]
) -> None:
    on(LAPTOP)
    params = Params(manifest=manifest_of(tmp_path / "m.jsonl", 20, 375), base_model=LARGE, gpu_memory_gb=8)

    with pytest.raises(UserError) as refused:
        plan(params, settings)

    assert refused.value.code == "memory_too_small"
    assert "a GPU of 8 GB, not this machine's has 8.1 GB free" in refused.value.message
    assert refused.value.hint.startswith("Give ")
    assert refused.value.hint.endswith("These settings take a GPU of 48 GB.")
    assert "in use" not in refused.value.hint


def test_before_the_data_exist_the_card_is_planned_for_with_clips_of_the_usual_length(
    settings: Settings, on: Callable[[MemoryBudget | None], None]
) -> None:
    on(LAPTOP)
    asked = Params(manifest="/later.jsonl", base_model=SMALL, gpu_memory_gb=12)

    planned = plan_ahead(asked.model_copy(update=suggest(asked, {"manifest"}, settings)), settings)

    assert planned["memory"]["assumes"] == "clips of 15 s"
    assert planned["memory"]["fits"] is True
    assert set(planned["settings"]) == {"batch", "precision", "optimizer", "learns"}
    with pytest.raises(UserError, match="a GPU of 4 GB"):
        plan_ahead(asked.model_copy(update={"gpu_memory_gb": 4}), settings)


def test_clips_that_would_be_rejected_are_not_planned_with(settings: Settings, tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path / "m.jsonl", 10, 125)
    with Path(manifest).open("a") as stream:
        stream.write('{"audio": "broken\n')

    all_of_them = plan(Params(manifest=manifest, base_model="toy"), settings)["data"]
    none = plan(Params(manifest=manifest, base_model="toy", max_clip_s=5), settings)

    assert (all_of_them["clips"], all_of_them["without_codes"]) == (9, 1)
    assert none == {"data": none["data"]}
    assert none["data"]["longer_than_max_clip_s"] == 10


def test_an_earlier_run_alike_gives_the_time(settings: Settings, tmp_path: Path) -> None:
    params = Params(manifest=manifest_of(tmp_path / "m.jsonl", 10, 100), base_model="toy", epochs=4)
    for name, other in (("training-20260101-000000-aaaa", {}), ("training-20260102-000000-bbbb", {"method": "lora"})):
        attempt = settings.home / "jobs" / name / "attempt-1"
        attempt.mkdir(parents=True)
        (attempt.parent / "job.json").write_text(json.dumps({"params": params.model_dump() | other}))
        metrics = {"metrics": {"frames_per_s": 50.0}}
        (attempt / "progress.jsonl").write_text(f'{json.dumps(metrics)}\n{{"message": "writing the voice"}}\n')

    found = plan(params, settings)["time"]

    assert found == {
        "about_min": round((10 + 4 * 9 * 100 / 50) / 60, 2), "frames_per_s": 50,
        "from": "run training-20260101-000000-aaaa on this machine",
    }  # fmt: skip


def test_nothing_is_claimed_of_what_is_not_known(
    settings: Settings, tmp_path: Path, on: Callable[[MemoryBudget | None], None]
) -> None:
    manifest = manifest_of(tmp_path / "m.jsonl", 10, 100)
    on(MemoryBudget("cuda", "Unknown 3000", 80e9, 80e9))

    stranger = plan(Params(manifest=manifest, base_model="Some/Other"), settings)
    new_gpu = plan(Params(manifest=manifest, base_model=SMALL), settings)
    elsewhere = plan(Params(manifest=manifest, base_model=SMALL), replace(settings, backend="slurm"))

    assert "memory" not in stranger
    assert "about_min" not in new_gpu["time"]
    assert elsewhere["memory"]["of"] == "a GPU of another machine"
    assert "fits" not in elsewhere["memory"]


@pytest.mark.parametrize(
    ("memory", "precision"),
    [
        (MemoryBudget("cuda", "Tesla T4", 15e9, 15e9, (7, 5)), "float16 with loss scaling: Tesla T4"),
        (MemoryBudget("cuda", "Tesla V100", 16e9, 16e9, (7, 0)), "float16 with loss scaling: Tesla V100"),
        (MemoryBudget("cuda", "NVIDIA A100", 40e9, 40e9, (8, 0)), "bfloat16: NVIDIA A100"),
        (MemoryBudget("cuda", "Tesla P100", 16e9, 16e9, (6, 0)), "float32: Tesla P100"),
        (MemoryBudget("cuda", "NVIDIA A100", 40e9, 40e9), "bfloat16 where the GPU computes in it"),
        (MemoryBudget("cpu", "this machine's memory", 40e9, 40e9), "float32: on a CPU"),
    ],
)
def test_the_number_format_is_that_of_the_hardware(
    settings: Settings,
    tmp_path: Path,
    on: Callable[[MemoryBudget | None], None],
    memory: MemoryBudget,
    precision: str,
) -> None:
    on(memory)
    params = Params(manifest=manifest_of(tmp_path / "m.jsonl", 10, 100), base_model=SMALL)

    assert plan(params, settings)["settings"]["precision"].startswith(precision)


def test_a_speaker_with_few_clips_is_planned_to_be_trained_whole(settings: Settings, tmp_path: Path) -> None:
    anna = manifest_of(tmp_path / "anna.jsonl", 100, 100, split="train")
    lines = Path(anna).read_text().splitlines(keepends=True)
    many = [line.replace("word word", f"word {number}") for number, line in enumerate(lines)]
    ben = [line.replace('"anna"', '"ben"') for line in many[:8]]
    (tmp_path / "both.jsonl").write_text("".join([*many, *ben]))

    data = plan(Params(manifest=str(tmp_path / "both.jsonl"), base_model="toy"), settings)["data"]

    assert data["trained_whole"] == ["ben"]
    assert data["clips"] + data["held_out"] == 108
    assert data["held_out"] > 0
    assert data["split"] == SPLIT_RULE


def test_ten_thousand_clips_are_planned_in_under_two_seconds(settings: Settings, tmp_path: Path) -> None:
    params = Params(manifest=manifest_of(tmp_path / "m.jsonl", 10_000, 125), base_model=LARGE)

    started = time.process_time()
    planned = plan(params, settings)

    assert time.process_time() - started < 2
    assert planned["data"]["clips"] == 9000


def test_learning_less_takes_fewer_operations() -> None:
    def operations(**given: Any) -> float:
        return operations_per_frame(Params(manifest="/m.jsonl", base_model=LARGE, **given), RELEASED["1.7b"])

    full, frozen, lora, again = (
        operations(freeze="none"),
        operations(),
        operations(method="lora"),
        operations(method="lora", gradient_checkpointing=True),
    )

    assert full > frozen > lora
    assert again == pytest.approx(1.5 * lora)
    assert operations(predictor_share=0.25) < frozen


def test_steps_that_given_epochs_do_not_have_are_said(settings: Settings, tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path / "m.jsonl", 10, 100)

    short, long = (
        plan(Params(manifest=manifest, base_model="toy", epochs=2, max_steps=n), settings)["settings"] for n in (2, 500)
    )

    assert "ends" not in short
    assert long["ends"] == "max_steps=500 is not reached: epochs=2 end the run before"
