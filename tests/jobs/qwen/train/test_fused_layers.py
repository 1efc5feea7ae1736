"""Layers with written-out gradients give upstream's outputs and gradients, and keep less for the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from jobs.codec_format import N_CODEBOOKS
from jobs.qwen.toy.config import Shape
from jobs.qwen.train.fused_functions import LOSS_ROWS, LinearCrossEntropy
from jobs.qwen.train.fused_layers import fuse_layers
from jobs.qwen.train.lora import add_adapters
from jobs.qwen.train.loss import Predictions, loss_sums, predict, total_loss
from jobs.qwen.train.packing import pack
from jobs.qwen.train.sequence_layout import Batch, ControlIds, Example, collate, tokenise_text
from jobs.training.run.optimizer import trainable, unfreeze_for_full


def batch_for(base: Any, *, packed: bool = False) -> Batch:
    rng = torch.Generator().manual_seed(0)
    clips = [
        Example(tokenise_text(base, text), torch.randint(0, 256, (n, 16), generator=rng), "auto", torch.ones(64) * 0.1)
        for text, n in (("hi", 3), ("the quick brown fox", 40), ("jumps", 25))
    ]
    batch = collate(clips, ControlIds.from_config(base.model.config))
    return pack(batch, [clip.length for clip in clips]) if packed else batch


def plain_loss(predictions: Predictions, batch: Batch) -> torch.Tensor:
    """The loss from whole logits."""
    talker = F.cross_entropy(predictions.talker.float(), batch.labels)
    others = F.cross_entropy(predictions.predictor.float().flatten(0, 1), batch.codes[:, 1:].flatten())
    return talker + 0.3 * others


def our_loss(predictions: Predictions, batch: Batch) -> torch.Tensor:
    sums = loss_sums(predictions, batch)
    return total_loss(sums, n_talker=sums.n_talker, n_predictor=sums.n_predictor, code_predictor_weight=0.3)


def gradients(model: Any, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    loss.backward()
    found = {name: parameter.grad.clone() for name, parameter in trainable(model).items() if parameter.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


def prepare(model: Any, method: str) -> None:
    torch.manual_seed(0)
    if method in ("lora", "dora"):
        add_adapters(model, r=4, alpha=8, dropout=0.0, targets="all", use_dora=method == "dora")
        with torch.no_grad():
            for name, parameter in trainable(model).items():
                if "lora_B" in name:
                    parameter.normal_(0, 0.05)
    else:
        unfreeze_for_full(model, "code_predictor" if method == "frozen" else "none")
    model.train()


@pytest.mark.parametrize("shape", ["0.6b", "1.7b"])
@pytest.mark.parametrize("method", ["full", "frozen", "lora", "dora"])
@pytest.mark.parametrize("packed", [False, True])
def test_loss_and_every_gradient_are_those_of_upstreams_layers(
    load_toy: Callable[[Shape], Any], shape: Shape, method: str, packed: bool
) -> None:
    base = load_toy(shape)
    batch = batch_for(base, packed=packed)
    prepare(base.model, method)
    wanted_loss = plain_loss(predict(base.model, batch), batch)
    wanted = gradients(base.model, wanted_loss)

    fuse_layers(base.model)
    loss = our_loss(predict(base.model, batch), batch)
    found = gradients(base.model, loss)

    assert float(loss) == pytest.approx(float(wanted_loss), rel=1e-6)
    assert found.keys() == wanted.keys()
    assert len(found) > 20
    for name, gradient in wanted.items():
        largest = float(gradient.abs().max())
        assert largest > 0, name
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=2e-5 * largest, msg=name)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_half_precision_is_as_close_to_float32_as_upstreams_layers(
    load_toy: Callable[[Shape], Any], method: str
) -> None:
    losses, found = {}, {}
    for how in ("float32", "upstream", "fused"):
        base = load_toy("1.7b")
        batch = batch_for(base)
        prepare(base.model, method)
        if how == "fused":
            fuse_layers(base.model)
        with nullcontext() if how == "float32" else torch.autocast("cpu", torch.bfloat16):
            loss = (our_loss if how == "fused" else plain_loss)(predict(base.model, batch), batch)
        losses[how] = float(loss)
        grads = gradients(base.model, loss)
        found[how] = torch.cat([grads[name].flatten() for name in sorted(grads)])
    errors = {how: float((found[how] - found["float32"]).norm()) for how in ("upstream", "fused")}

    assert abs(losses["fused"] - losses["float32"]) < 0.01
    assert errors["fused"] <= 1.1 * errors["upstream"]


def test_gradients_of_micro_batches_add_up(load_toy: Callable[[Shape], Any]) -> None:
    base = load_toy("1.7b")
    batch = batch_for(base)
    prepare(base.model, "full")
    fuse_layers(base.model)
    once = gradients(base.model, our_loss(predict(base.model, batch), batch))

    for share in (0.25, 0.5):
        (share * our_loss(predict(base.model, batch), batch)).backward()
    twice = gradients(base.model, 0.25 * our_loss(predict(base.model, batch), batch))

    for name, gradient in once.items():
        largest = float(gradient.abs().max())
        torch.testing.assert_close(twice[name], gradient, rtol=0, atol=2e-5 * largest, msg=name)


def test_the_loss_of_many_labels_is_summed_over_chunks_of_logits() -> None:
    rng = torch.Generator().manual_seed(0)
    n = 2 * LOSS_ROWS + 7
    states, weight = torch.randn(n, 8, generator=rng), torch.randn(32, 8, generator=rng)
    labels = torch.randint(0, 32, (n,), generator=rng)
    results = []
    for fused in (False, True):
        x, w = states.clone().requires_grad_(), weight.clone().requires_grad_()
        whole = F.cross_entropy(x @ w.t(), labels, reduction="sum")
        loss = LinearCrossEntropy.apply(x, w, labels) if fused else whole
        (0.5 * loss).backward()
        results.append((loss.detach(), x.grad, w.grad))

    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-5)


def test_autograd_keeps_at_most_two_thirds_of_what_upstreams_layers_keep(load_toy: Callable[[Shape], Any]) -> None:
    kept = {}
    for how in ("upstream", "fused"):
        base = load_toy("1.7b")
        batch = batch_for(base)
        prepare(base.model, "full")
        weights = {parameter.untyped_storage().data_ptr() for parameter in base.model.parameters()}
        if how == "fused":
            fuse_layers(base.model)
        sizes: dict[int, int] = {}

        def keep(tensor: torch.Tensor, sizes: dict[int, int] = sizes, weights: set[int] = weights) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = (our_loss if how == "fused" else plain_loss)(predict(base.model, batch), batch)
        kept[how] = sum(sizes.values())
        del loss

    assert kept["fused"] <= 0.67 * kept["upstream"], kept


def test_without_the_predictor_its_layers_are_not_run(load_toy: Callable[[Shape], Any]) -> None:
    base = load_toy("1.7b")
    batch = batch_for(base)
    prepare(base.model, "full")
    calls = []
    handle = base.model.talker.code_predictor.model.register_forward_hook(lambda *_: calls.append(1))

    whole = loss_sums(predict(base.model, batch), batch)
    skipped = loss_sums(predict(base.model, batch, with_predictor=False), batch)
    handle.remove()

    assert len(calls) == 1
    assert float(skipped.talker.detach()) == pytest.approx(float(whole.talker.detach()), rel=1e-6)
    assert float(skipped.predictor) == 0.0
    assert skipped.n_predictor == whole.n_predictor == batch.n_frames * (N_CODEBOOKS - 1)
