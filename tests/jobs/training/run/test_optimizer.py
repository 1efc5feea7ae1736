"""Trained weights, weight decay and learning rate."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.qwen.loading import load_base
from jobs.training.run.optimizer import ADAM_BETAS, learning_rate, make_optimiser, trainable, unfreeze_for_full


@pytest.fixture
def model(tiny_base: Path) -> Any:
    return load_base(tiny_base, "cpu", torch.bfloat16).model


def test_full_training_frees_all_but_text_embedding_and_speaker_encoder_in_float32(model: Any) -> None:
    unfreeze_for_full(model)

    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert {name.split(".")[0] for name in frozen} == {"speaker_encoder", "talker"}
    assert [name for name in frozen if name.startswith("talker")] == ["talker.model.text_embedding.weight"]
    assert {parameter.dtype for parameter in trainable(model).values()} == {torch.float32}


def test_norms_biases_and_embeddings_do_not_decay(model: Any) -> None:
    unfreeze_for_full(model)

    decaying, staying = make_optimiser(model, lr=1e-3, weight_decay=0.1).param_groups

    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decays = {names[id(parameter)] for parameter in decaying["params"]}
    stays = {names[id(parameter)] for parameter in staying["params"]}
    assert (decaying["weight_decay"], staying["weight_decay"]) == (0.1, 0.0)
    assert "talker.model.layers.0.mlp.up_proj.weight" in decays
    assert "talker.codec_head.weight" in decays
    assert "talker.model.codec_embedding.weight" in stays
    assert "talker.code_predictor.model.codec_embedding.3.weight" in stays
    assert "talker.model.norm.weight" in stays
    assert "talker.text_projection.linear_fc1.bias" in stays
    assert decays | stays == set(trainable(model))


def test_the_learning_rate_warms_up_and_follows_half_a_cosine() -> None:
    rates = [learning_rate(step, peak=1.0, warmup_steps=4, total_steps=12) for step in range(13)]

    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[8] == pytest.approx(0.5)
    assert rates[12] == pytest.approx(0.0)


def test_without_warmup_the_first_step_has_the_full_rate() -> None:
    assert learning_rate(0, peak=2e-3, warmup_steps=0, total_steps=1) == 2e-3


def test_a_cosine_may_end_at_a_share_of_the_peak() -> None:
    rates = [learning_rate(step, peak=2.0, warmup_steps=4, total_steps=12, min_share=0.1) for step in range(13)]

    assert rates[:5] == [0.5, 1.0, 1.5, 2.0, 2.0]
    assert rates[8] == pytest.approx(1.1)
    assert rates[12] == pytest.approx(0.2)


def test_our_adamw_steps_as_torchs_and_takes_its_state() -> None:
    torch.manual_seed(0)
    ours, theirs = torch.nn.Linear(5, 3), torch.nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    own = make_optimiser(ours, lr=0.1, weight_decay=0.2)
    other = torch.optim.AdamW(
        [{"params": [theirs.weight], "weight_decay": 0.2}, {"params": [theirs.bias], "weight_decay": 0.0}],
        lr=0.1, betas=ADAM_BETAS, fused=True,
    )  # fmt: skip
    for step in range(6):
        if step == 3:
            own.load_state_dict(copy.deepcopy(other.state_dict()))
        data = torch.randn(4, 5)
        for layer, optimiser in ((ours, own), (theirs, other)):
            optimiser.zero_grad()
            layer(data).square().sum().backward()
            optimiser.step()

    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(ours.bias, theirs.bias)
    assert own.state_dict()["state"].keys() == other.state_dict()["state"].keys()
