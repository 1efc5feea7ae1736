"""The loss adds up over batches, and half precision leaves what learns in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from jobs.qwen.toy.config import Shape
from jobs.qwen.train.lora import add_adapters
from jobs.qwen.train.loss import loss_sums, predict, total_loss
from jobs.qwen.train.sequence_layout import Batch, ControlIds, Example, collate, tokenise_text


def clips_for(base: Any) -> list[Example]:
    rng = torch.Generator().manual_seed(0)
    return [
        Example(
            tokenise_text(base, text), torch.randint(0, 256, (n_frames, 16), generator=rng), "english", torch.ones(64)
        )
        for text, n_frames in (("hi", 3), ("the quick brown fox", 8))
    ]


def batch_for(base: Any, clips: list[Example]) -> Batch:
    return collate(clips, ControlIds.from_config(base.model.config))


def test_sums_of_clips_alone_add_up_to_the_batch(load_toy: Callable[[Shape], Any]) -> None:
    base = load_toy("1.7b")
    clips = clips_for(base)

    with torch.no_grad():
        together = loss_sums(predict(base.model, batch_for(base, clips)), batch_for(base, clips))
        alone = [loss_sums(predict(base.model, b), b) for b in (batch_for(base, [clip]) for clip in clips)]

    assert float(together.talker) == pytest.approx(sum(float(sums.talker) for sums in alone), rel=1e-5)
    assert float(together.predictor) == pytest.approx(sum(float(sums.predictor) for sums in alone), rel=1e-5)
    assert (together.n_talker, together.n_predictor) == (3 + 8 + 2, (3 + 8) * 15)


def test_the_total_is_the_talkers_mean_and_a_share_of_the_predictors(load_toy: Callable[[Shape], Any]) -> None:
    base = load_toy("0.6b")
    batch = batch_for(base, clips_for(base))

    with torch.no_grad():
        predictions = predict(base.model, batch)
        sums = loss_sums(predictions, batch)
        total = total_loss(sums, n_talker=sums.n_talker, n_predictor=sums.n_predictor, code_predictor_weight=0.3)

    talker = F.cross_entropy(predictions.talker, batch.labels)
    predictor = F.cross_entropy(predictions.predictor.flatten(0, 1), batch.codes[:, 1:].flatten())
    assert float(total) == pytest.approx(float(talker + 0.3 * predictor), rel=1e-5)
    assert (
        int(batch.labels[3]) == ControlIds.from_config(base.model.config).codec_eos
    )  # after the first clip's three frames


@pytest.mark.parametrize("method", ["full", "lora"])
def test_bfloat16_arithmetic_gives_float32_gradients_near_the_exact_ones(
    method: str, load_toy: Callable[[Shape], Any]
) -> None:
    base = load_toy("0.6b")
    batch = batch_for(base, clips_for(base))
    with torch.no_grad():
        exact = loss_sums(predict(base.model, batch), batch)
    if method == "lora":
        base.model.bfloat16()  # as training loads it on a GPU: frozen half-precision base, float32 adapters
        add_adapters(base.model, r=4, alpha=8, dropout=0.0)

    with torch.autocast("cpu", torch.bfloat16):
        sums = loss_sums(predict(base.model, batch), batch)
    (sums.talker + sums.predictor).backward()

    assert float(sums.talker.detach()) == pytest.approx(float(exact.talker), rel=0.02)
    assert float(sums.predictor.detach()) == pytest.approx(float(exact.predictor), rel=0.02)
    gradients = [parameter.grad for parameter in base.model.parameters() if parameter.grad is not None]
    assert gradients
    assert {gradient.dtype for gradient in gradients} == {torch.float32}
