"""Methods: trained weights, adapters, optimisers and batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from jobs.errors import UserError
from jobs.qwen.train import loss
from jobs.training import work
from jobs.training.params import Params, Result

MakeParams = Callable[..., Params]
MakeContext = Callable[[], Any]
TABLE = "talker.model.codec_embedding.weight"  # holds the speaker's row, which every export sets


def losses(result: Result) -> list[float]:
    rows = json.loads((Path(result.voice).parent / "report.json").read_text())["losses"]["rows"]
    return [row[1] for row in rows]


def changed(result: Result, base: Path) -> set[str]:
    before, after = load_file(base / "model.safetensors"), load_file(Path(result.voice) / "model.safetensors")
    return {name for name, tensor in after.items() if not torch.equal(tensor, before[name])} - {TABLE}


@pytest.mark.parametrize(
    ("freeze", "learns_talker", "learns_predictor"),
    [("none", True, True), ("code_predictor", True, False), ("talker", False, True)],
)
def test_what_is_frozen_stays_as_it_was(
    freeze: str,
    learns_talker: bool,
    learns_predictor: bool,
    make_params: MakeParams,
    make_context: MakeContext,
    tiny_base: Path,
) -> None:
    found = changed(work.run(make_params(freeze=freeze), make_context()), tiny_base)

    assert any(name.startswith("talker.code_predictor.") for name in found) is learns_predictor
    assert any(not name.startswith("talker.code_predictor.") for name in found) is learns_talker
    assert not any("text_embedding" in name for name in found)


@pytest.mark.parametrize("freeze", ["none", "code_predictor"])
def test_without_a_weight_the_code_predictor_is_only_run_by_checks_and_validation(
    freeze: str, make_params: MakeParams, make_context: MakeContext, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    original = loss._predict_codebooks
    monkeypatch.setattr(loss, "_predict_codebooks", lambda *given: (passes.append(1), original(*given))[1])

    result = work.run(make_params(freeze=freeze, code_predictor_weight=0.0, batch_size=4), make_context())
    rows = json.loads((Path(result.voice).parent / "report.json").read_text())["losses"]["rows"]

    assert len(rows) == 3
    assert len(passes) == 1 + 3  # the base check, and a validation after each epoch
    assert [row[3] for row in rows] == [0.0] * 3
    assert result.validation_loss is not None
    learnt = {name for name in changed(result, tiny_base) if name.startswith("talker.code_predictor.")}
    assert all("codec_embedding" in name for name in learnt)  # the talker's input
    assert bool(learnt) is (freeze == "none")


def test_a_trained_code_predictor_is_frozen_by_default_and_a_random_one_learns(
    make_params: MakeParams, make_context: MakeContext, tiny_base: Path, tmp_path: Path
) -> None:
    first = work.run(make_params(epochs=20, lr=3e-3), make_context())

    again = work.run(make_params(base_model=first.voice, out_dir=str(tmp_path / "again")), make_context())

    assert any(name.startswith("talker.code_predictor.") for name in changed(first, tiny_base))
    assert not any(name.startswith("talker.code_predictor.") for name in changed(again, Path(first.voice)))


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("attention", {"self_attn"}),
        ("talker", {"self_attn", "mlp"}),
        (r"talker\.model\.layers\.1\.mlp\.up_proj", {"mlp"}),
    ],
)
def test_adapters_learn_where_they_were_put(
    targets: str, expected: set[str], make_params: MakeParams, make_context: MakeContext, tiny_base: Path
) -> None:
    result = work.run(make_params(method="lora", lora_r=2, lora_targets=targets, lr=1e-2), make_context())

    found = changed(result, tiny_base)
    assert {name.split(".")[4] for name in found} == expected
    assert all(name.startswith("talker.model.layers.") for name in found)


def test_adapters_in_all_layers_reach_the_code_predictor(
    make_params: MakeParams, make_context: MakeContext, tiny_base: Path
) -> None:
    result = work.run(
        make_params(method="lora", lora_r=2, lora_targets="all", lora_rslora=True, lr=1e-2), make_context()
    )

    assert any(name.startswith("talker.code_predictor.model.layers.") for name in changed(result, tiny_base))


@pytest.mark.parametrize(
    ("targets", "why"),
    [
        ("talk", "matches no layer"),
        (r"talker\.model\.norm", "not a linear layer"),
        (r"speaker_encoder\..*", "matches no layer"),  # the encoder is gone by then
    ],
)
def test_a_pattern_that_fits_no_layer_is_refused(
    targets: str, why: str, make_params: MakeParams, make_context: MakeContext
) -> None:
    with pytest.raises(UserError, match=why) as refused:
        work.run(make_params(method="lora", lora_targets=targets), make_context())

    assert refused.value.code == "lora_targets_unknown"


def test_four_bits_round_the_base_in_training_and_not_in_the_export(
    make_params: MakeParams, make_context: MakeContext, tiny_base: Path, tmp_path: Path
) -> None:
    exact = work.run(make_params(method="lora", lora_r=4, out_dir=str(tmp_path / "exact")), make_context())
    rounded = work.run(
        make_params(method="lora", lora_r=4, load_in_4bit=True, out_dir=str(tmp_path / "rounded")), make_context()
    )

    assert losses(rounded) != losses(exact)
    assert losses(rounded) == pytest.approx(losses(exact), rel=0.02)

    still = work.run(
        make_params(method="lora", load_in_4bit=True, lr=1e-7, out_dir=str(tmp_path / "still")), make_context()
    )
    before, after = load_file(tiny_base / "model.safetensors"), load_file(Path(still.voice) / "model.safetensors")
    name = "talker.model.layers.0.mlp.up_proj.weight"
    assert float((after[name] - before[name]).abs().max()) < 1e-5  # 4 bits would be off by a thousandth


def test_packed_and_token_budgeted_passes_learn_the_same(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    common = {"batch_size": 4, "epochs": 3}
    padded = work.run(make_params(**common, out_dir=str(tmp_path / "a")), make_context())
    packed = work.run(make_params(**common, packing=True, out_dir=str(tmp_path / "b")), make_context())
    budgeted = work.run(make_params(**common, batch_tokens=2000, out_dir=str(tmp_path / "c")), make_context())

    assert losses(packed) == pytest.approx(losses(padded), rel=1e-5)
    assert losses(budgeted) == losses(padded)


def test_a_share_of_the_frames_gives_about_the_same_loss_and_resumes_alike(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    whole = work.run(make_params(out_dir=str(tmp_path / "a")), make_context())
    share = work.run(make_params(predictor_share=0.5, out_dir=str(tmp_path / "b")), make_context())

    assert losses(share) != losses(whole)
    assert losses(share) == pytest.approx(losses(whole), rel=0.02)


def test_a_constant_schedule_keeps_the_peak(make_params: MakeParams, make_context: MakeContext) -> None:
    result = work.run(make_params(lr_schedule="constant", warmup_steps=2), make_context())

    rows = json.loads((Path(result.voice).parent / "report.json").read_text())["losses"]["rows"]
    assert [row[4] for row in rows] == pytest.approx([5e-4, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3])


def test_paged_adam_learns_like_the_plain_one(
    make_params: MakeParams, make_context: MakeContext, tmp_path: Path
) -> None:
    plain = work.run(make_params(out_dir=str(tmp_path / "a")), make_context())
    paged = work.run(make_params(optimizer="paged_adamw_8bit", out_dir=str(tmp_path / "b")), make_context())

    assert losses(paged) == pytest.approx(losses(plain), rel=1e-3)


@pytest.mark.parametrize(
    "options",
    [
        {"method": "full", "load_in_4bit": True},
        {"method": "lora", "freeze": "code_predictor"},
        {"method": "lora", "lora_targets": "talker.*("},
    ],
)
def test_settings_that_contradict_each_other_are_refused(options: dict[str, Any], make_params: MakeParams) -> None:
    with pytest.raises(ValueError, match=r"method|regular expression"):
        make_params(**options)
