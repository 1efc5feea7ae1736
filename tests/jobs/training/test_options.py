"""Options that are off by default: what they compute, what they refuse, and that runs without them are as before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from jobs.errors import UserError
from jobs.qwen.precision import DeviceInfo, training_precision
from jobs.qwen.train.arithmetic import attention_kernel, check_attention, deterministic
from jobs.runner.worker.context import Cancelled
from jobs.training import work
from jobs.training.data.manifest_scan import ClipSize
from jobs.training.options import ADDED
from jobs.training.params import Params, Result
from jobs.training.planning.cheaper_settings import cheapest_change
from jobs.training.planning.disk import checkpoint_bytes, disk_needed
from jobs.training.planning.dry_run import plan_ahead
from jobs.training.planning.memory import MicroBatchSize, Recipe, estimate, estimate_step, trained_weights
from jobs.training.planning.model_dims import RELEASED
from jobs.training.run.model_setup import NOT_IDENTITY, identify_run

MakeParams = Callable[..., Params]
MakeContext = Callable[[], Any]
CPU = DeviceInfo("cpu")
A100, T4 = DeviceInfo("cuda", "NVIDIA A100", (8, 0)), DeviceInfo("cuda", "Tesla T4", (7, 5))


def report(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(result.voice).parent / "report.json").read_text())
    return found


def losses(result: Result) -> list[float]:
    return [row[1] for row in report(result)["losses"]["rows"]]


def test_a_run_without_the_options_is_identified_as_before_they_existed(
    make_params: MakeParams, make_context: MakeContext, tiny_base: Path, tmp_path: Path
) -> None:
    plain = make_params(max_steps=1)
    result = work.run(plain, make_context())
    dataset = work.setup_data(plain, make_context(), tiny_base, tmp_path, work.DistributedGroup())

    assert not set(report(result)["run"]) & {*ADDED, "log_to"}
    used = identify_run(plain.model_copy(update={"ema_decay": 0.9}), dataset, tiny_base)
    assert used["ema_decay"] == 0.9
    assert set(Params.model_fields) > NOT_IDENTITY
    assert work.run(plain, make_context()) == result


def test_an_average_that_keeps_nothing_is_the_last_weights_and_one_that_keeps_more_is_not(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    given = {"export": "last", "max_steps": 3}
    same = work.run(make_params(ema_decay=1e-9, out_dir=str(tmp_path / "a"), **given), make_context())
    other = work.run(make_params(ema_decay=0.9, out_dir=str(tmp_path / "b"), **given), make_context())

    last, average = (load_file(Path(str(path)) / "model.safetensors") for path in (same.voice, same.voice_ema))
    assert all(torch.allclose(tensor, average[name], atol=1e-7) for name, tensor in last.items())
    assert same.ema_validation_loss == pytest.approx(same.validation_loss, rel=1e-6)
    assert load_file(Path(other.voice) / "model.safetensors").keys() == average.keys()
    assert other.ema_validation_loss != pytest.approx(other.validation_loss, rel=1e-4)
    assert json.loads((Path(str(other.voice_ema)) / "tts_train.json").read_text())["ema_decay"] == 0.9


def test_a_smaller_share_of_the_rate_is_left_at_the_end(make_params: MakeParams, make_context: MakeContext) -> None:
    result = work.run(make_params(min_lr_share=0.5, max_steps=6, warmup_steps=0), make_context())

    rates = [row[4] for row in report(result)["losses"]["rows"]]
    assert rates[0] == 1e-3
    assert rates[3] == pytest.approx(0.75e-3)
    assert min(rates) > 0.5e-3
    assert result.schedule == "0 steps of warm-up, then cosine to 50 % of the peak at step 6"


def test_a_resumed_run_with_all_of_them_ends_with_the_same_bits(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    options = {
        "method": "lora", "lora_r": 4, "lora_dora": True, "lora_dropout": 0.2, "min_lr_share": 0.2, "ema_decay": 0.9,
        "sample_weights": ["english=0.5"], "deterministic": True, "validate_every_steps": 2,
    }  # fmt: skip
    whole = work.run(make_params(**options, out_dir=str(tmp_path / "a")), make_context())
    halves = make_params(**options, out_dir=str(tmp_path / "b"))
    stopped = make_context()
    stopped.cancel_after_progress = 6
    with pytest.raises(Cancelled):
        work.run(halves, stopped)
    reached = max(int(path.name[5:]) for path in (tmp_path / "b" / "checkpoints").glob("step-*"))
    resumed = work.run(halves, make_context())

    assert 0 < reached < whole.steps
    assert report(resumed)["losses"] == report(whole)["losses"]
    assert resumed.ema_validation_loss == whole.ema_validation_loss
    for one, other in ((whole.voice, resumed.voice), (whole.voice_ema, resumed.voice_ema)):
        first, second = (Path(str(folder)) / "model.safetensors" for folder in (one, other))
        assert first.read_bytes() == second.read_bytes()
    trained = load_file(Path(str(whole.adapter)) / "adapter_model.safetensors")
    again = load_file(Path(str(resumed.adapter)) / "adapter_model.safetensors")
    assert any("magnitude" in name for name in trained)
    assert all(torch.equal(tensor, again[name]) for name, tensor in trained.items())


def test_dtype_replaces_the_format_of_the_device(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def run(name: str, device: DeviceInfo | None, **given: Any) -> list[float]:
        params = make_params(out_dir=str(tmp_path / name), max_steps=2, **given)
        return losses(work.run(params, make_context(), device=device))

    with caplog.at_level("INFO"):
        told = run("told", A100, dtype="float32")

    assert "precision: float32: as dtype says" in caplog.text
    assert told == run("cpu", None)
    assert training_precision(A100, "float16").scales_loss


@pytest.mark.parametrize(
    ("device", "dtype", "instead"),
    [(CPU, "bfloat16", "float32"), (CPU, "float16", "float32"), (T4, "bfloat16", "float16")],
)
def test_a_format_that_the_device_lacks_is_refused(device: DeviceInfo, dtype: Any, instead: str) -> None:
    with pytest.raises(UserError, match=r"no speed|emulates") as refused:
        training_precision(device, dtype)

    assert refused.value.code == "dtype_unavailable"
    assert refused.value.hint == f"Leave dtype out, or give dtype={instead}."


def test_a_format_that_this_machine_lacks_is_refused_before_the_model_is_loaded(
    make_params: MakeParams, make_context: MakeContext
) -> None:
    context = make_context()

    with pytest.raises(UserError, match="on a CPU"):
        work.run(make_params(dtype="float16"), context)

    assert "loading the base model" not in context.messages


@pytest.mark.parametrize("choice", ["flash", "math"])
def test_every_kernel_of_attention_learns_the_same(
    choice: str, make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    given = {"max_steps": 2, "gradient_checkpointing": True}
    usual = work.run(make_params(out_dir=str(tmp_path / "a"), **given), make_context())
    chosen = work.run(make_params(out_dir=str(tmp_path / "b"), attention=choice, **given), make_context())

    assert losses(chosen) == pytest.approx(losses(usual), rel=1e-5)
    assert torch.backends.cuda.math_sdp_enabled()


def test_a_kernel_that_does_not_run_here_is_refused() -> None:
    with pytest.raises(UserError, match="efficient does not run here in float32") as refused:
        check_attention("efficient", "cpu", torch.float32)

    assert refused.value.code == "attention_unavailable"
    with attention_kernel("auto"):
        assert torch.backends.cuda.flash_sdp_enabled()


def test_deterministic_refuses_other_algorithms_during_the_run_only() -> None:
    with deterministic(True):
        assert torch.are_deterministic_algorithms_enabled()

    assert not torch.are_deterministic_algorithms_enabled()


def test_a_deterministic_run_repeats_its_numbers(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    first, second = (
        work.run(make_params(deterministic=True, max_steps=2, out_dir=str(tmp_path / name)), make_context())
        for name in "ab"
    )

    assert losses(first) == losses(second)
    one, other = (load_file(Path(result.voice) / "model.safetensors") for result in (first, second))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_the_plan_knows_what_the_options_cost(settings: Any) -> None:
    dims, batch, full = RELEASED["1.7b"], MicroBatchSize(4, 400, 1500, 1500), Recipe(freeze="code_predictor")
    n_trained = trained_weights(dims, full)

    def peak(device: Any = "cuda", **given: Any) -> float:
        return estimate_step(dims, Recipe(freeze="code_predictor", **given), batch, device).peak

    assert peak(ema=True) - peak() == pytest.approx(4 * n_trained)
    assert peak(attention="math") - peak() > 28 * 16 * 4 * 400 * 400 * 4 * 0.5
    assert peak(attention="efficient") > peak()
    plain, averaged = (Params(manifest="none", ema_decay=decay) for decay in (0.0, 0.999))
    assert checkpoint_bytes(n_trained, averaged) - checkpoint_bytes(n_trained, plain) == 4 * n_trained
    assert disk_needed(0, 1e9, averaged) - disk_needed(0, 1e9, plain) == 1e9

    gpu = {"manifest": "none", "base_model": "Qwen/Qwen3-TTS-12Hz-1.7B-Base", "gpu_memory_gb": 80.0}
    planned = plan_ahead(Params(**gpu, dtype="float32", ema_decay=0.999, attention="math"), settings)
    assert planned["settings"]["precision"] == "float32: as dtype says"
    assert planned["settings"]["weight_average"] == "decay 0.999: voice-ema beside the voice"
    assert planned["settings"]["attention"] == "math"
    assert planned["memory"]["parts_gb"]["weight average"] == pytest.approx(4 * n_trained / 1e9, rel=0.01)


def test_divided_layers_let_several_small_cards_train_the_large_model(settings: Any) -> None:
    dims, batch = RELEASED["1.7b"], MicroBatchSize(2, 250, 400, 400)

    def gigabytes(n_shards: int) -> float:
        recipe = Recipe(freeze="code_predictor", gradient_checkpointing=True, n_shards=n_shards)
        return estimate(dims, recipe, batch, "cuda").peak / 1e9

    assert gigabytes(1) > 24
    assert gigabytes(2) < 15.5
    assert gigabytes(4) < 10
    assert gigabytes(64) > 4e-9 * dims.weights  # each process loads the whole base first
    on_four = {"manifest": "none", "base_model": "Qwen/Qwen3-TTS-12Hz-1.7B-Base", "gpu_memory_gb": 12.0}
    divided = Params(**on_four, n_processes=4, fsdp=True, gradient_checkpointing=True, batch_size=1)
    assert "divided with the layers among 4 processes" in plan_ahead(divided, settings)["settings"]["optimizer"]
    alone = Params(**on_four, n_processes=4, gradient_checkpointing=True, batch_size=1)
    change = cheapest_change(alone, dims, [ClipSize(125, 150)], "cuda", 11.5e9)
    assert change is not None
    assert change.updates == {"fsdp": True}


@pytest.mark.parametrize(
    "options",
    [
        {"min_lr_share": 0.1, "lr_schedule": "constant"},
        {"lora_dora": True},
        {"lora_dora": True, "method": "lora", "load_in_4bit": True},
        {"attention": "math", "compile": True},
        {"attention": "flash", "packing": True},
        {"attention": "flash", "dtype": "float32"},
        {"fsdp": True},
        {"fsdp": True, "n_processes": 2, "method": "lora"},
        {"fsdp": True, "n_processes": 2, "optimizer": "adamw_8bit"},
        {"fsdp": True, "n_processes": 2, "compile": True},
        {"ema_decay": 1.0},
        {"sample_weights": ["anna"]},
        {"sample_weights": ["anna=-1"]},
    ],
)
def test_options_that_contradict_others_are_refused(options: dict[str, Any], make_params: MakeParams) -> None:
    with pytest.raises(ValueError, match=r"fsdp|min_lr_share|lora_dora|attention|ema_decay|sample_weights"):
        make_params(**options)
