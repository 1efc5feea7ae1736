"""Training in the number format of a described GPU; the arithmetic itself runs on this machine's CPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from jobs.qwen.precision import DeviceInfo
from jobs.qwen.toy.checkpoints import make_toy_base
from jobs.runner.worker.context import Cancelled
from jobs.training import work
from jobs.training.params import Params, Result
from jobs.training.run import training_loop

MakeParams = Callable[..., Params]
MakeContext = Callable[[], Any]
T4 = DeviceInfo("cuda", "Tesla T4", (7, 5))
A100 = DeviceInfo("cuda", "NVIDIA A100", (8, 0))


def losses(result: Result) -> list[float]:
    report = json.loads((Path(result.voice).parent / "report.json").read_text())
    return [row[1] for row in report["losses"]["rows"]]


@pytest.fixture
def train(make_params: MakeParams, make_context: MakeContext, tmp_path: Path) -> Callable[..., Result]:
    """Train in a folder of its own, with the arithmetic of a device."""

    def run(name: str, device: DeviceInfo | None, **given: Any) -> Result:
        return work.run(make_params(out_dir=str(tmp_path / name), **given), make_context(), device=device)

    return run


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize(
    ("device", "precision"),
    [(T4, "float16 with loss scaling: Tesla T4"), (A100, "bfloat16: NVIDIA A100")],
    ids=["T4", "A100"],
)
def test_half_precision_trains_as_float32_does_and_the_log_gives_the_reason(
    method: str,
    device: DeviceInfo,
    precision: str,
    train: Callable[..., Result],
    caplog: pytest.LogCaptureFixture,
) -> None:
    exact = train("exact", None, method=method, lora_r=4)

    with caplog.at_level("INFO"):
        half = train("half", device, method=method, lora_r=4)

    assert f"precision: {precision}" in caplog.text
    assert losses(half) != losses(exact)
    assert losses(half) == pytest.approx(losses(exact), rel=5e-3)
    weights = load_file(Path(half.voice) / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())


def test_a_gradient_that_overflows_lowers_the_loss_scale_and_no_step_is_lost(
    train: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = train("usual", T4)
    monkeypatch.setattr(training_loop, "INITIAL_LOSS_SCALE", 2.0**40)

    scaled = train("scaled", T4)

    assert scaled.steps == usual.steps
    assert losses(scaled) == pytest.approx(losses(usual), rel=1e-3)


def test_resuming_in_float16_equals_never_having_stopped(
    train: Callable[..., Result], make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    straight = train("straight", T4, save_every_steps=2)
    params = make_params(out_dir=str(tmp_path / "broken"), save_every_steps=2)
    context = make_context()
    context.cancel_after_progress = 2 + 3
    with pytest.raises(Cancelled):
        work.run(params, context, device=T4)

    resumed = work.run(params, make_context(), device=T4)

    assert losses(resumed) == losses(straight)


def test_a_resumed_run_goes_on_with_its_loss_scale(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = make_params(save_every_steps=1)
    scales = []
    for initial in (2.0**12, 2.0**16):
        monkeypatch.setattr(training_loop, "INITIAL_LOSS_SCALE", initial)
        context = make_context()
        context.cancel_after_progress = 2 + 1
        with pytest.raises(Cancelled):
            work.run(params, context, device=T4)
        newest = max((tmp_path / "out" / "checkpoints").glob("step-*"))
        scales.append(torch.load(newest / "state.pt", weights_only=True)["scaler"]["scale"])

    assert scales == [2.0**12, 2.0**12]


def test_a_checkpoint_of_before_loss_scaling_is_resumed(
    train: Callable[..., Result], make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    straight = train("straight", T4)
    params = make_params(out_dir=str(tmp_path / "old"))
    context = make_context()
    context.cancel_after_progress = 2 + 3
    with pytest.raises(Cancelled):
        work.run(params, context, device=T4)
    (state,) = (tmp_path / "old" / "checkpoints").glob("step-*/state.pt")
    saved = torch.load(state, weights_only=True)
    del saved["scaler"]
    torch.save(saved, state)

    # without its state the loss scale begins afresh, and float16 rounds the smallest gradients otherwise
    assert losses(work.run(params, make_context(), device=T4)) == pytest.approx(losses(straight), rel=1e-4)


def test_a_base_that_overflows_float16_is_trained_in_float32(
    train: Callable[..., Result], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base = make_toy_base(tmp_path / "large", shape="0.6b", codebook_size=64, weight_std=60.0)

    with caplog.at_level("INFO"):
        result = train("out", T4, base_model=str(base), max_steps=1, lr=1e-6)

    assert "precision: float32: large overflows float16, and Tesla T4" in caplog.text
    assert result.steps == 1
